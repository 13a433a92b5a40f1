"""A plan's advance: what starts, fails and goes back, and what becomes of messages meanwhile."""

import asyncio
from uuid import uuid4

import pytest

from baton.domain.errors import ExecutionNotFound
from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.domain.states import ExecutionState, TaskState
from baton.store import plans
from tests.store.test_steps import started, states
from tests.store.world import World, question

S, T = TaskState, EventType


async def states_of(world: World, tasks: list[TaskRoute]) -> list[TaskState]:
    """The states of a plan's tasks."""
    return [(await world.box(task)).state for task in tasks]


async def run(world: World, task: TaskRoute, *, fail: bool = False) -> None:
    """A task's next turn, to its end."""
    turn = (await world.box(task)).turn + 1
    started(await world.start(task, turn))
    await (world.fail(task, turn) if fail else world.record(task, turn, text=f"result of {task.position}"))


async def test_a_plan_begins_with_what_needs_nothing(world: World) -> None:
    tasks = await world.plan((), (1,), (), (1, 3))
    assert await states_of(world, tasks) == [S.PENDING] * 4
    standing = await world.advance(tasks[0])
    assert await states_of(world, tasks) == [S.RUNNING, S.PENDING, S.RUNNING, S.PENDING]
    assert standing.state is ExecutionState.RUNNING
    assert set(standing.to_ring) == {tasks[0].task_id, tasks[2].task_id}
    assert {state: count for state, count in standing.counts.items() if count} == {S.RUNNING: 2, S.PENDING: 2}
    one, three, both = (await world.log(tasks[0]))[-3:]
    assert [(event.type, event.position, event.task_state) for event in (one, three)] == [
        (T.TASK_STARTED, 1, S.RUNNING),
        (T.TASK_STARTED, 3, S.RUNNING),
    ]
    assert (both.type, both.data, both.task_id) == (T.TASKS_STARTED, {"tasks": [1, 3]}, None)
    assert (both.execution_state, both.seq) == (ExecutionState.RUNNING, standing.event_seq)
    row = await world.row(tasks[0])
    assert row["ring_at"] is not None
    assert row["started_at"] is not None


async def test_a_repeat_changes_nothing_but_names_what_nobody_took_up(world: World) -> None:
    tasks = await world.plan((), ())
    first = await world.advance(tasks[0])
    rows = [await world.row(task) for task in tasks]
    again = await world.advance(tasks[0])
    assert again == first
    assert [await world.row(task) for task in tasks] == rows
    await world.start(tasks[0], 1)
    assert (await world.advance(tasks[0])).to_ring == (tasks[1].task_id,)


async def test_a_dependent_starts_when_all_it_needs_has_succeeded(world: World) -> None:
    tasks = await world.plan((), (), (1, 2))
    await world.advance(tasks[0])
    for task in tasks[:2]:
        assert (await states_of(world, tasks))[2] is S.PENDING
        await run(world, task)
        assert (await world.execution(task))["ring_at"] is not None, "the plan is to look"
        await world.advance(task)
        assert (await world.execution(task))["ring_at"] is None, "it has looked"
    assert (await world.advance(tasks[0])).to_ring == (tasks[2].task_id,)
    await run(world, tasks[2])
    row = await world.execution(tasks[0])
    assert (row["state"], row["completed_at"] is not None) == ("succeeded", True)


async def test_a_failure_fails_its_dependents_and_tells_what_became_of_their_messages(world: World) -> None:
    tasks = await world.plan((), (1,), (2,), ())
    await world.advance(tasks[0])
    unread = [await world.send(tasks[2], text) for text in ("one", "two")]
    await run(world, tasks[3])
    await run(world, tasks[0], fail=True)
    standing = await world.advance(tasks[0])
    assert await states_of(world, tasks) == [S.FAILED, S.FAILED, S.FAILED, S.SUCCEEDED]
    assert standing.state is ExecutionState.FAILED
    assert [(await world.row(task))["error_code"] for task in tasks] == [
        "model_broken",
        "dependency_failed",
        "dependency_failed",
        None,
    ]
    assert await states(world, tasks[2]) == [("dead", None), ("dead", None)]
    assert {message["reason"] for message in await world.messages(tasks[2])} == {"dependency_failed"}
    assert not (await world.box(tasks[2])).has_unclaimed
    two, dead, three = (await world.log(tasks[0]))[-3:]
    assert [(event.type, event.position) for event in (two, dead, three)] == [
        (T.TASK_FAILED, 2),
        (T.MESSAGES_DEAD, 3),
        (T.TASK_FAILED, 3),
    ]
    assert dead.data == {
        "messages": [{"message_id": str(receipt.message_id), "seq": receipt.seq} for receipt in unread],
        "reason": "dependency_failed",
    }
    assert three.data == {"code": "dependency_failed"}
    assert (await world.execution(tasks[0]))["completed_at"] is not None


async def test_dependents_go_back_and_start_when_a_dependency_succeeds_after_all(world: World) -> None:
    tasks = await world.plan((), (1,), (2,))
    await world.advance(tasks[0])
    await run(world, tasks[0], fail=True)
    await world.advance(tasks[0])
    receipt = await world.send(tasks[0], "try again")
    assert receipt.reopened
    row = await world.execution(tasks[0])
    assert (row["state"], row["completed_at"], row["ring_at"] is not None) == ("running", None, True)
    standing = await world.advance(tasks[0])
    assert await states_of(world, tasks) == [S.RUNNING, S.PENDING, S.PENDING]
    assert [(await world.row(task))["error_code"] for task in tasks] == [None] * 3
    assert [(event.type, event.position) for event in (await world.log(tasks[0]))[-2:]] == [
        (T.TASK_RESET, 2),
        (T.TASK_RESET, 3),
    ]
    assert standing.state is ExecutionState.RUNNING
    await run(world, tasks[0])
    await world.advance(tasks[0])
    assert await states_of(world, tasks) == [S.SUCCEEDED, S.RUNNING, S.PENDING]


async def test_a_dependent_may_start_straight_from_its_failure(world: World) -> None:
    """The plan looked only when the dependency had been reopened and had succeeded."""
    tasks = await world.plan((), (1,))
    await world.advance(tasks[0])
    await run(world, tasks[0], fail=True)
    await world.advance(tasks[0])
    await world.send(tasks[0])
    await run(world, tasks[0])
    await world.advance(tasks[0])
    assert await states_of(world, tasks) == [S.SUCCEEDED, S.RUNNING]
    row = await world.row(tasks[1])
    assert (row["error_code"], row["completed_at"]) == (None, None)


async def test_a_task_that_failed_for_its_dependency_can_be_run_by_a_message(world: World) -> None:
    tasks = await world.plan((), (1,))
    await world.advance(tasks[0])
    await run(world, tasks[0], fail=True)
    await world.advance(tasks[0])
    assert (await world.send(tasks[1], "never mind, go")).reopened
    await world.advance(tasks[0])
    assert (await world.box(tasks[1])).state is S.RUNNING
    await run(world, tasks[1])
    assert await states(world, tasks[1]) == [("processed", 1)]
    await world.advance(tasks[0])
    assert await states_of(world, tasks) == [S.FAILED, S.SUCCEEDED]


async def test_a_message_to_a_pending_task_is_read_when_it_starts(world: World) -> None:
    tasks = await world.plan((), (1,))
    await world.advance(tasks[0])
    receipt = await world.send(tasks[1], "for later")
    assert (receipt.state, receipt.rings) == (S.PENDING, False)
    await run(world, tasks[0])
    await world.advance(tasks[0])
    await run(world, tasks[1])
    assert await states(world, tasks[1]) == [("processed", 1)]


async def test_a_reopened_dependency_leaves_those_that_ran_as_they_are(world: World) -> None:
    tasks = await world.plan((), (1,))
    await world.advance(tasks[0])
    await run(world, tasks[0])
    await world.advance(tasks[0])
    await run(world, tasks[1])
    await world.send(tasks[0])
    await run(world, tasks[0], fail=True)
    await world.advance(tasks[0])
    assert await states_of(world, tasks) == [S.FAILED, S.SUCCEEDED]


async def test_a_waiting_task_holds_its_dependents_and_nothing_else(world: World) -> None:
    tasks = await world.plan((), (1,), ())
    await world.advance(tasks[0])
    await world.start(tasks[0], 1)
    await world.record(tasks[0], 1, asks=[question("q")])
    await run(world, tasks[2])
    standing = await world.advance(tasks[0])
    assert await states_of(world, tasks) == [S.WAITING, S.PENDING, S.SUCCEEDED]
    assert standing.state is ExecutionState.WAITING
    assert standing.to_ring == ()


async def test_advances_at_the_same_time(world: World) -> None:
    tasks = await world.plan((), (), (), (1,), (2, 3))
    standings = await asyncio.gather(*(world.advance(tasks[0]) for _ in range(12)))
    assert len(set(map(str, standings))) == 1
    kinds = [event.type for event in await world.log(tasks[0])]
    assert (kinds.count(T.TASK_STARTED), kinds.count(T.TASKS_STARTED)) == (3, 1)
    assert [(await world.box(task)).version for task in tasks] == [2, 2, 2, 1, 1]


async def test_a_plan_that_runs_while_it_is_advanced(world: World) -> None:
    """Tasks end while others look: nothing starts twice or never, whatever the order."""
    tasks = await world.plan((), (), (1,), (2,), (3, 4), (5,), (1, 6))

    async def work(task: TaskRoute) -> None:
        while (await world.box(task)).state is S.PENDING:
            await world.advance(task)
        await run(world, task)
        await asyncio.gather(world.advance(task), world.advance(task))

    await asyncio.gather(*(work(task) for task in tasks))
    assert await states_of(world, tasks) == [S.SUCCEEDED] * 7
    log = await world.log(tasks[0])
    assert [event.type for event in log].count(T.TASK_STARTED) == 7
    assert log[-1].execution_state is ExecutionState.SUCCEEDED
    assert [(await world.row(task))["turn"] for task in tasks] == [1] * 7


async def test_plans_that_are_not_there(world: World) -> None:
    async with world.pool.connection() as connection:
        for ask in (plans.route, plans.advance_plan):
            with pytest.raises(ExecutionNotFound):
                await ask(connection, world.tenant, uuid4())
        (task,) = await world.plan(())
        with pytest.raises(ExecutionNotFound):
            await plans.route(connection, uuid4(), task.execution_id)
        assert (await plans.route(connection, world.tenant, task.execution_id)).queue == "a-queue"
