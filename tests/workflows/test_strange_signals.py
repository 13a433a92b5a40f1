"""What people may do to a workflow in Temporal itself, at bad moments, too."""

import asyncio
from uuid import UUID

import asyncpg

from tests.support.system import System, eventually
from workflows.contracts import Ring, plan_workflow_id, task_workflow_id


async def test_a_message_to_a_task_that_the_plan_does_not_have_is_dropped(system: System) -> None:
    execution = await system.start_plan(("!ask go?", ()), ("!finish two", (1,)))
    await eventually(lambda: _states(system, execution, {1: "waiting"}))
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    for nobody in (99, 2**70):
        await handle.signal("continue_task_signal", {"task_id": nobody, "user_message": "lost"})
    await system.send((execution, 1), "go")
    await eventually(lambda: _states(system, execution, {1: "succeeded", 2: "succeeded"}))


async def test_a_plan_cancelled_in_temporal_while_it_looks_cancels_its_tasks(system: System) -> None:
    execution = await system.start_plan(("!ask go?", ()), ("!finish two", (1,)))
    await eventually(lambda: _states(system, execution, {1: "waiting"}))
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    blocker = await asyncpg.connect(system.baton.settings.dsn)
    try:
        async with blocker.transaction():
            await blocker.fetch("SELECT FROM executions WHERE id = $1 FOR UPDATE", execution)
            await handle.signal("doorbell", Ring(10**6))
            await eventually(lambda: _is_looking(system, plan_workflow_id(str(execution))))
            await handle.cancel()
    finally:
        await blocker.close()
    await eventually(lambda: _states(system, execution, {1: "cancelled", 2: "cancelled"}))


async def test_a_ring_for_more_than_postgresql_has_is_looked_for_once(system: System) -> None:
    task = await system.start("!ask x?")
    await system.until(task, "waiting")
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    before = (await handle.describe()).history_length
    await handle.signal("doorbell", Ring(10**6))
    await system.send(task, "an answer")
    await system.until(task, "succeeded")
    async with asyncio.timeout(20):
        await handle.result()
    assert (await handle.describe()).history_length < before + 40


async def test_such_a_ring_does_not_drown_those_that_come_after_it(system: System) -> None:
    task = await system.start("!ask x?")
    await system.until(task, "waiting")
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    before = (await handle.describe()).history_length
    await handle.signal("doorbell", Ring(10**6))

    async def has_looked() -> bool:
        described = await handle.describe()
        return described.history_length > before + 6 and not described.raw_description.pending_activities

    await eventually(has_looked)
    await system.send(task, "an answer")
    await system.until(task, "succeeded")


async def test_a_plan_looks_once_for_more_than_postgresql_has(system: System) -> None:
    execution = await system.start_plan(("!ask go?", ()), ("!finish two", (1,)))
    await eventually(lambda: _states(system, execution, {1: "waiting"}))
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))

    async def shows_it() -> bool:
        return await handle.query("status") == "waiting"

    await eventually(shows_it)
    before = (await handle.describe()).history_length
    await handle.signal("doorbell", Ring(10**6))
    await system.send((execution, 1), "go")
    async with asyncio.timeout(30):
        assert await handle.result() == "succeeded"
    assert (await handle.describe()).history_length < before + 40


async def test_a_long_turn_continues_as_new_between_its_steps(rolling: System) -> None:
    task = await rolling.start("!tool clock\n" * 20)
    await rolling.until(task, "succeeded", seconds=60)
    handle = rolling.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    info = (await handle.describe()).raw_description.workflow_execution_info
    assert info.execution.run_id != info.first_run_id
    assert info.history_length < 60
    row = await rolling.row(task)
    assert row["turn"] == 1


async def test_a_message_is_read_after_a_failover_that_lost_commits(system: System) -> None:
    """The workflow has seen versions of the task that are gone, and its rings name versions that it has seen."""
    task = await system.start("!ask 1?")
    for n in (2, 3, 4):
        await system.until(task, "waiting")
        await system.send(task, f"!ask {n}?")
    await system.until(task, "waiting")
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))

    async def has_seen() -> bool:
        return (await handle.query("status"))["seq"] == (await system.row(task))["version"]

    await eventually(has_seen)
    before = (await handle.describe()).history_length
    async with system.baton.pool.connection() as connection:
        await connection.execute("UPDATE tasks SET version = 1 WHERE id = $1", task)
    await system.send(task, "!ask 5?")
    await system.until(task, "waiting")
    await system.send(task, "an answer")
    await system.until(task, "succeeded")
    async with asyncio.timeout(20):
        await handle.result()
    assert (await handle.describe()).history_length < before + 60


async def test_a_plan_goes_on_after_a_failover_that_lost_commits(system: System) -> None:
    execution = await system.start_plan(("!stream 100\n!ask go?", ()), ("!finish two", (1,)))
    await eventually(lambda: _states(system, execution, {1: "waiting"}))
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    before = (await handle.describe()).history_length
    await handle.signal("doorbell", Ring(10**6))

    async def has_looked() -> bool:
        described = await handle.describe()
        return described.history_length > before + 6 and not described.raw_description.pending_activities

    await eventually(has_looked)
    async with system.baton.pool.transaction() as connection:
        await connection.execute("DELETE FROM events WHERE execution_id = $1", execution)
        await connection.execute("UPDATE executions SET event_seq = 0 WHERE id = $1", execution)
    await system.send((execution, 1), "go")
    await eventually(lambda: _states(system, execution, {1: "succeeded", 2: "succeeded"}))


async def _is_looking(system: System, workflow_id: str) -> bool:
    described = await system.temporal.client.get_workflow_handle(workflow_id).describe()
    return any(
        activity.activity_type.name == "advance_plan" for activity in described.raw_description.pending_activities
    )


async def _states(system: System, execution: UUID, wanted: dict[int, str]) -> bool:
    tasks = await system.tasks_of(execution)
    return all(tasks[position]["state"] == state for position, state in wanted.items())
