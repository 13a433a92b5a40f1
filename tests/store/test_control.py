"""Pause, resume and cancel, at rest and while a turn is under way."""

from dataclasses import replace
from uuid import uuid4

import pytest

from baton.domain.errors import Conflict, ExecutionNotFound, TaskNotFound
from baton.domain.events import EventType
from baton.domain.events.parts import PausedTask
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Then
from baton.domain.states import SendMode, TaskState
from baton.store import control, plan_control, rings
from baton.store.rings import RingPace
from tests.store.test_steps import stands, started, states
from tests.store.world import World, call, question
from tests.support.authors import author

S, T = TaskState, EventType


async def bell(world: World, route: TaskRoute) -> tuple[int, int]:
    """The turn that a doorbell would name, and the one it would interrupt."""
    async with world.pool.connection() as connection:
        bell = await rings.bell(connection, route)
        assert bell.version == (await world.box(route)).version
        return bell.turn, bell.interrupt


@pytest.mark.parametrize("state", [S.RUNNING, S.WAITING])
async def test_pause(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    before = await world.box(route)
    where = await world.pause(route)
    assert where.box == await world.box(route) == replace(before, state=S.PAUSED, version=before.version + 1)
    assert (where.then, (await world.row(route))["ring_at"] is not None) == (Then.REST, True)
    paused = (await world.log(route))[-1]
    assert (paused.type, paused.task_state, paused.data["by"]) == (T.TASK_PAUSED, S.PAUSED, "somebody")
    assert await world.waited_after(paused) == ((), (PausedTask(task_id=route.task_id, position=1),))
    assert paused.execution_state == "paused"
    assert paused.seq == where.event_seq
    again = await world.pause(route)
    assert (again.box, (await world.log(route))[-1]) == (where.box, paused)


@pytest.mark.parametrize("state", [S.PENDING, S.SUCCEEDED, S.FAILED, S.CANCELLED])
async def test_what_cannot_be_paused(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    before = await world.row(route)
    with pytest.raises(Conflict) as told:
        await world.pause(route)
    assert told.value.state == state
    assert await world.row(route) == before


async def test_pause_interrupts_the_turn_and_a_message_takes_the_next(world: World) -> None:
    route = await world.in_state(S.RUNNING, turn_open=True)
    await world.pause(route)
    assert await bell(world, route) == (1, 1)
    box = await world.box(route)
    assert (box.turn_open, box.interrupted(1)) == (True, True)
    where = await world.interrupted(route, 1, text="so far")
    assert (where.then, where.box.state) == (Then.REST, S.PAUSED)
    assert (await world.execution(route))["state"] == "paused"
    assert (await world.send(route)).state is S.RUNNING
    started(await world.start(route, 2))
    assert (await world.record(route, 2)).box.state is S.SUCCEEDED


async def test_a_message_while_the_pause_is_not_yet_heard(world: World) -> None:
    route = await world.in_state(S.RUNNING, turn_open=True)
    await world.pause(route)
    receipt = await world.send(route)
    assert (receipt.state, receipt.turn_open) == (S.RUNNING, True)
    assert (await world.row(route))["ring_at"] is not None
    assert stands(await world.record(route, 1)) == (Then.STEP, 2, 0)


async def test_a_turn_that_fails_while_paused_leaves_the_task_paused(world: World) -> None:
    route = await world.in_state(S.RUNNING, turn_open=True)
    await world.pause(route)
    assert (await world.fail(route, 1)).box.state is S.PAUSED


@pytest.mark.parametrize("state", [state for state in S if state is not S.PAUSED])
async def test_only_what_is_paused_is_resumed(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    before = await world.row(route)
    with pytest.raises(Conflict) as told:
        await world.resume(route)
    assert told.value.state == state
    assert await world.row(route) == before


async def gone_on(world: World, state: TaskState, *, turn_open: bool = False) -> TaskRoute:
    """A task that somebody has resumed, and that has come to a state since."""
    route = await world.in_state(S.PAUSED)
    await world.resume(route)
    if turn_open or state is not S.RUNNING:
        await world.start(route, 2)
    if state is S.WAITING:
        await world.record(route, 2, asks=[question("a")])
    elif state is S.SUCCEEDED:
        await world.record(route, 2)
    elif state is S.FAILED:
        await world.fail(route, 2)
    return route


@pytest.mark.parametrize(
    ("state", "turn_open"),
    [(S.RUNNING, False), (S.RUNNING, True), (S.WAITING, False), (S.SUCCEEDED, False), (S.FAILED, False)],
)
async def test_resuming_again_changes_nothing(world: World, state: TaskState, turn_open: bool) -> None:
    """Whoever has not heard of the first commit is told that it is done, whatever the task has come to since."""
    route = await gone_on(world, state, turn_open=turn_open)
    before = await world.row(route), await world.log(route)
    again = await world.resume(route)
    assert (again.box.state, again.box.turn_open) == (state, turn_open)
    assert (await world.row(route), await world.log(route)) == before


async def test_a_resume_counts_until_the_next_pause(world: World) -> None:
    route = await gone_on(world, S.RUNNING)
    await world.pause(route)
    await world.send(route)
    with pytest.raises(Conflict):
        await world.resume(route)


async def test_a_task_that_was_resumed_and_cancelled_is_not_resumed(world: World) -> None:
    route = await gone_on(world, S.RUNNING)
    await world.cancel(route)
    with pytest.raises(Conflict):
        await world.resume(route)


async def test_resume_takes_a_new_turn(world: World) -> None:
    route = await world.in_state(S.PAUSED)
    where = await world.resume(route)
    assert (where.then, where.turn, where.step, where.box.state) == (Then.STEP, 2, 0, S.RUNNING)
    assert (await world.row(route))["ring_at"] is not None
    resumed = (await world.log(route))[-1]
    assert (resumed.type, resumed.task_state, resumed.execution_state) == (T.TASK_RESUMED, S.RUNNING, "running")
    started(await world.start(route, 2))
    assert (await world.record(route, 2)).box.state is S.SUCCEEDED


async def test_resume_before_the_pause_was_heard(world: World) -> None:
    route = await world.in_state(S.RUNNING, turn_open=True)
    await world.pause(route)
    where = await world.resume(route)
    assert (where.then, where.turn, where.box.state) == (Then.STEP, 1, S.RUNNING)
    assert stands(await world.interrupted(route, 1)) == (Then.STEP, 2, 0)


async def test_resume_waits_again_for_what_was_asked(world: World) -> None:
    route = await world.in_state(S.WAITING)
    await world.pause(route)
    assert (await world.row(route))["waiting_since"] is None
    assert stands(await world.resume(route)) == (Then.REST, 1, 0)
    row = await world.row(route)
    assert (row["state"], row["waiting_since"] is not None) == ("waiting", True)
    assert (await world.send(route)).state is S.RUNNING


async def test_resume_goes_on_waiting_for_the_questions_that_are_left(world: World) -> None:
    """An answer to one of two questions waits for the other, whatever happened in between."""
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, asks=[question("a"), question("b")])
    await world.send(route, question="a")
    await world.pause(route)
    assert (await world.resume(route)).box.state is S.WAITING
    assert (await world.send(route, question="b")).state is S.RUNNING
    await world.start(route, 2)
    assert await states(world, route) == [("claimed", 2), ("claimed", 2)]


async def test_resume_reads_a_message_that_answers_nothing(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.send(route, "in between")
    await world.record(route, 1, asks=[question("a")])
    await world.pause(route)
    assert (await world.resume(route)).box.state is S.RUNNING


@pytest.mark.parametrize("state", [S.PENDING, S.RUNNING, S.WAITING, S.PAUSED])
async def test_cancel(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    await world.execute("UPDATE executions SET ring_at = NULL WHERE tenant_id = $1")
    where = await world.cancel(route)
    box = await world.box(route)
    assert where.box == box
    assert (box.state, box.questions, box.turn_open, where.then, where.plan_looks) == (
        S.CANCELLED,
        (),
        False,
        Then.REST,
        True,
    )
    last = (await world.log(route))[-1]
    assert (last.type, last.task_state, last.execution_state) == (T.TASK_CANCELLED, S.CANCELLED, "cancelled")
    assert (await world.execution(route))["ring_at"] is not None, "its plan is to look"
    assert ((await world.row(route))["ring_at"] is not None) is (state is not S.PENDING), "its workflow is to end"
    again = await world.cancel(route)
    assert (again.box, (await world.log(route))[-1]) == (box, last)


@pytest.mark.parametrize("state", [S.SUCCEEDED, S.FAILED])
async def test_what_has_ended_is_not_cancelled(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    before = await world.row(route)
    with pytest.raises(Conflict):
        await world.cancel(route)
    async with world.pool.transaction() as connection:
        where = await control.cancel_unless_over(connection, route, author())
    assert (where.box.state, await world.row(route)) == (state, before)


async def test_cancelling_a_single_task_rings_no_plan(world: World) -> None:
    route = await world.task()
    where = await world.cancel(route)
    assert (await world.execution(route))["ring_at"] is None
    assert not where.plan_looks


async def test_cancel_ends_the_open_turn_and_tells_what_became_of_its_messages(world: World) -> None:
    route = await world.task()
    claimed = await world.send(route, "claimed")
    await world.start(route, 1)
    await world.record(route, 1, calls=[call("c")])
    await world.start(route, 1, 1)
    unread = await world.send(route, "unread")
    await world.cancel(route)
    assert await states(world, route) == [("processed", 1), ("dead", None)]
    assert [message["reason"] for message in await world.messages(route)] == [None, "task_cancelled"]
    assert [step["state"] for step in await world.steps(route)] == ["recorded", "interrupted"]
    dead = next(event for event in await world.log(route) if event.type is T.MESSAGES_DEAD)
    assert dead.data["messages"] == [{"message_id": str(unread.message_id), "seq": 2}]
    ended = next(event for event in await world.log(route) if event.type is T.TURN_ENDED)
    assert ended.data["messages"] == [{"message_id": str(claimed.message_id), "seq": 1}]
    assert (ended.data["turn"], ended.data["outcome"], ended.task_state) == (1, "interrupted", None)
    box = await world.box(route)
    assert (box.has_unclaimed, box.turn_open) == (False, False)
    log = await world.log(route)
    for late in (
        world.record(route, 1, 1),
        world.interrupted(route, 1, 1),
        world.fail(route, 1),
        world.start(route, 2),
    ):
        assert stands(await late) == (Then.REST, 1, 0)
    assert await world.log(route) == log


async def test_cancel_stops_the_step_that_is_at_work(world: World) -> None:
    """The turn is over in PostgreSQL, yet its step works on until somebody tells it."""
    (route,) = await world.plan(())
    await world.advance(route)
    await world.start(route, 1)
    await world.cancel(route)
    assert await bell(world, route) == (2, 1)
    await world.execute("UPDATE tasks SET ring_at = now() WHERE tenant_id = $1")
    async with world.pool.connection() as connection:
        due = await rings.due_tasks(connection, RingPace(1000, 1000, 60, 60))
    assert [(one.bell.turn, one.bell.interrupt) for one in due if one.task_id == route.task_id] == [(2, 1)]


async def test_a_bell_names_the_turn_that_is_due_or_under_way(world: World) -> None:
    route = await world.task()
    assert await bell(world, route) == (1, 0)
    await world.start(route, 1)
    assert await bell(world, route) == (1, 0)
    await world.send(route, mode=SendMode.INTERRUPT)
    assert await bell(world, route) == (1, 1)
    await world.interrupted(route, 1)
    turn, interrupt = await bell(world, route)
    assert (turn, interrupt < 2) == (2, True)
    with pytest.raises(TaskNotFound):
        await bell(world, replace(route, task_id=uuid4()))


async def test_all_tasks_of_an_execution(world: World) -> None:
    one, two, three = await world.plan((), (), (1,))
    await world.advance(one)
    await world.start(one, 1)
    await world.record(one, 1, asks=[question("q")])
    async with world.pool.transaction() as connection:
        assert set(
            (await plan_control.pause_all(connection, world.tenant, one.execution_id, author("ann"))).changed
        ) == {
            one.task_id,
            two.task_id,
        }
    assert [(await world.box(route)).state for route in (one, two, three)] == [S.PAUSED, S.PAUSED, S.PENDING]
    assert (await world.execution(one))["state"] == "paused"
    async with world.pool.transaction() as connection:
        assert (await plan_control.pause_all(connection, world.tenant, one.execution_id, author("ann"))).changed == ()
        resumed = await plan_control.resume_all(connection, world.tenant, one.execution_id, author("ann"))
    assert set(resumed.changed) == {one.task_id, two.task_id}
    assert [(await world.box(route)).state for route in (one, two, three)] == [S.WAITING, S.RUNNING, S.PENDING]
    await world.start(two, 1)
    await world.record(two, 1)
    async with world.pool.transaction() as connection:
        cancelled = await plan_control.cancel_all(connection, world.tenant, one.execution_id, author("ann"), "enough")
    assert set(cancelled.changed) == {one.task_id, three.task_id}
    assert [(await world.box(route)).state for route in (one, two, three)] == [S.CANCELLED, S.SUCCEEDED, S.CANCELLED]
    assert (await world.execution(one))["state"] == "cancelled"
    assert (await world.log(one))[-1].data == {"by": "ann", "author": author("ann").json(), "reason": "enough"}
    for do in (plan_control.pause_all, plan_control.resume_all, plan_control.cancel_all):
        async with world.pool.transaction() as connection:
            with pytest.raises(ExecutionNotFound):
                await do(connection, world.tenant, uuid4(), author("ann"))
