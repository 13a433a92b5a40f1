"""What others do behind our back is noticed, and the state that follows is set and said."""

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, ResetWorkflowExecutionRequest

from baton.domain.events import EventType
from baton.domain.states import ExecutionState
from baton.store import events
from tests.support.postgres import PostgresServer
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from workflows.contracts import task_workflow_id


@pytest.fixture(scope="module")
async def swept(postgres: PostgresServer, temporal_server: RunningTemporal) -> AsyncGenerator[System]:
    """A Baton that sweeps all the time."""
    dsn = await postgres.create_database()
    async with running_system(
        dsn, temporal_server, sweep_interval_seconds=0.3, sweep_silent_seconds=0.5, relay_interval_seconds=0.3
    ) as running:
        yield running


async def at_work(system: System, prompt: str) -> UUID:
    task = await system.start(prompt)

    async def open_() -> bool:
        return bool((await system.row(task))["turn_open"])

    await eventually(open_)
    return task


async def lost(system: System, task: UUID) -> list[object]:
    log = await system.log(await system.execution_of(task))
    return [event.data["status"] for event in log if event.type is EventType.WORKFLOW_LOST]


async def message_states(system: System, task: UUID) -> list[tuple[str, str]]:
    async with system.baton.pool.connection() as connection:
        rows = await connection.fetch("SELECT state, reason FROM messages WHERE task_id = $1 ORDER BY seq", task)
    return [(row["state"], row["reason"]) for row in rows]


def workflow(system: System, task: UUID):
    return system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))


async def test_a_running_task_whose_workflow_is_terminated_fails_and_can_be_reopened(swept: System) -> None:
    task = await swept.start("!ask go?")
    await swept.until(task, "waiting")
    await swept.send(task, "!sleep 60")

    async def open_() -> bool:
        return bool((await swept.row(task))["turn_open"])

    await eventually(open_)
    await workflow(swept, task).terminate()
    row = await swept.until(task, "failed", seconds=20)
    assert row["error_code"] == "workflow_terminated"
    assert await message_states(swept, task) == [("dead", "workflow_terminated")]
    assert await lost(swept, task) == ["terminated"]
    await swept.send(task, "again")
    row = await swept.until(task, "succeeded", seconds=20)
    assert "You said: again" in row["result"]


async def test_messages_queued_behind_a_lost_turn_are_processed(swept: System) -> None:
    task = await at_work(swept, "!sleep 60")
    await swept.send(task, "queued")

    async def rung() -> bool:  # a ring after the end would start another workflow, which goes on with the turn
        history = await workflow(swept, task).fetch_history()
        return sum(e.HasField("workflow_execution_signaled_event_attributes") for e in history.events) == 2

    await eventually(rung)
    await workflow(swept, task).terminate()
    row = await swept.until(task, "succeeded", seconds=20)
    assert "You said: queued" in row["result"]
    assert await message_states(swept, task) == [("processed", None)]


async def test_a_waiting_task_whose_workflow_is_terminated_goes_on_waiting(swept: System) -> None:
    task = await swept.start("!ask go?\n!finish end")
    await swept.until(task, "waiting")
    await workflow(swept, task).terminate()

    async def said() -> bool:
        return await lost(swept, task) == ["terminated"]

    await eventually(said, 20)
    assert (await swept.row(task))["state"] == "waiting"
    await swept.send(task, "yes")
    row = await swept.until(task, "succeeded", seconds=20)
    assert row["result"] == "You said: yes\nend"


async def _delete_workflow(system: System, task: UUID) -> None:
    described = await workflow(system, task).describe()
    await system.temporal.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=described.id, run_id=described.run_id),
        )
    )


async def test_a_workflow_that_the_namespace_lost_fails_its_running_task(swept: System) -> None:
    task = await at_work(swept, "!sleep 60")
    await _delete_workflow(swept, task)
    row = await swept.until(task, "failed", seconds=20)
    assert str(row["error_code"]).startswith("workflow_")


async def test_turns_go_on_in_a_namespace_that_took_the_place_of_another(swept: System) -> None:
    """As after a restore: the database knows of turns that this namespace has never seen."""
    task = await at_work(swept, "!sleep 5\n!say slept")
    async with swept.baton.pool.connection() as connection:
        await connection.execute("UPDATE temporal_namespace SET since = now()")
    await _delete_workflow(swept, task)
    row = await swept.until(task, "succeeded", seconds=40)
    assert row["result"] == "slept"
    assert await lost(swept, task) == []


async def test_a_reset_workflow_finds_its_way_back(swept: System) -> None:
    task = await swept.start("!ask one?")
    await swept.until(task, "waiting")
    await swept.send(task, "!ask two?")
    await swept.until(task, "waiting")
    handle = workflow(swept, task)
    described = await handle.describe()
    await swept.temporal.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=described.id, run_id=described.run_id),
            reason="a test",
            workflow_task_finish_event_id=4,
            request_id=described.run_id,
        )
    )
    await swept.send(task, "!finish end")
    row = await swept.until(task, "succeeded", seconds=30)
    assert (row["result"], row["turn"]) == ("end", 3)


async def test_rows_that_were_changed_by_hand_are_mended(swept: System) -> None:
    task = await swept.start("!ask go?")
    await swept.until(task, "waiting")
    execution = await swept.execution_of(task)
    async with swept.baton.pool.connection() as connection:
        await connection.execute("UPDATE tasks SET unclaimed = 3 WHERE id = $1", task)
        await connection.execute("UPDATE executions SET state = 'failed' WHERE id = $1", execution)

    async def mended() -> bool:
        async with swept.baton.pool.connection() as connection:
            log = await events.head(connection, swept.who.tenant_id, execution)
        assert log is not None
        return log.state is ExecutionState.WAITING and (await swept.row(task))["unclaimed"] == 0

    await eventually(mended, 20)
    kinds = [event.type for event in await swept.log(execution)]
    assert EventType.TASK_REPAIRED in kinds
    assert EventType.EXECUTION_CHANGED in kinds
    async with swept.baton.pool.connection() as connection:
        await connection.execute("UPDATE tasks SET state = 'running', ring_at = NULL WHERE id = $1", task)
    row = await swept.until(task, "succeeded", "waiting", seconds=20)
    assert row["turn"] == 2


async def test_a_turn_that_its_workflow_believes_over_is_gone_on_with(swept: System) -> None:
    """As after a failover that lost the commit which ended it."""
    task = await swept.start("!ask go?")
    await swept.until(task, "waiting")
    handle = workflow(swept, task)

    async def rests() -> bool:
        return (await handle.query("status"))["state"] == "waiting"

    await eventually(rests)
    async with swept.baton.pool.transaction() as connection:
        await connection.execute(
            "UPDATE steps SET state = 'running', response = NULL, calls = '[]', questions = '{}' WHERE task_id = $1",
            task,
        )
        await connection.execute("UPDATE turns SET state = 'running' WHERE task_id = $1", task)
        await connection.execute(
            "UPDATE tasks SET state = 'running', turn_open = true, open_questions = '[]', version = version - 1"
            " WHERE id = $1",
            task,
        )
    row = await swept.until(task, "waiting", seconds=20)
    assert (row["turn"], row["open_questions"][0]["text"]) == (1, "go?")
    assert await lost(swept, task) == []


async def test_a_question_whose_timer_was_lost_is_still_answered(swept: System) -> None:
    task = await swept.start('!ask {"question": "go?", "deadline_seconds": 2, "default": "yes"}')
    await swept.until(task, "waiting")
    await workflow(swept, task).terminate()
    row = await swept.until(task, "succeeded", seconds=20)
    assert row["result"] == "You said: yes"
