"""What a task was told, one by one, through all that can happen to a task: states, answers, pages, and one's end."""

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from baton.domain.conversation import Attachment
from baton.domain.errands import Errand, ErrandState
from baton.domain.errors import Conflict, MessageNotFound, TaskNotFound
from baton.domain.ids import Bounds, TaskBySlug, TaskRoute, whole_tenant
from baton.domain.messages import Receipt
from baton.domain.slugs import slug_of
from baton.domain.states import SendMode, TaskState
from baton.store import control, creation, errands, receipts, routes, tasks, transcripts
from baton.store.creation import NewExecution, NewTask
from tests.store.test_approvals import decide, waiting
from tests.store.world import World, question
from tests.support.authors import author
from tests.support.examples import examples

S, E = TaskState, ErrandState


@dataclass
class Told:
    """A task's errands, read in every way: they must agree."""

    world: World
    route: TaskRoute

    async def all(self) -> list[Errand]:
        """In the order in which they were told."""
        names = (self.world.tenant, self.route.task_id)
        async with self.world.pool.connection() as connection:
            found = await errands.page(connection, *names, limit=100)
            listed = await tasks.with_errands(connection, whole_tenant(self.world.tenant), limit=100)
            (last,) = await errands.page(connection, *names, limit=1, withdrawn=False)
            for errand in found:
                assert await errands.view(connection, self.world.tenant, errand.id) == errand
        assert last in found
        assert {task.id: task.last for task in listed}[self.route.task_id] is last.state
        return found[::-1]

    async def states(self) -> list[ErrandState]:
        return [errand.state for errand in await self.all()]

    async def stop(self, errand_id: UUID) -> TaskState:
        async with self.world.pool.transaction() as connection:
            return (await control.stop_errand(connection, self.route, errand_id, author())).box.state


async def told(world: World) -> Told:
    return Told(world, await world.task())


async def withdraw(world: World, route: TaskRoute, sent: Receipt) -> None:
    async with world.pool.transaction() as connection:
        await receipts.withdraw_message(connection, route, sent.message_id)


async def test_a_description_is_the_first(world: World) -> None:
    task = await told(world)
    (first,) = await task.all()
    assert (first.id, first.seq, first.text, first.state) == (task.route.task_id, 0, "do it", E.PENDING)
    assert (first.turn, first.started_at, first.ended_at) == (None, None, None)
    assert first.last_event == (await world.execution(task.route))["event_seq"]
    await world.start(task.route, 1)
    (first,) = await task.all()
    assert (first.state, first.turn, first.last_turn) == (E.RUNNING, 1, 1)
    assert first.started_at is not None
    await world.record(task.route, 1, text="All done")
    (first,) = await task.all()
    assert (first.state, first.answer, first.asked, first.held) == (E.DONE, "All done", (), ())
    assert first.ended_at is not None


async def test_where_one_begins_in_the_log(world: World) -> None:
    """After the event that is named, and not long after it."""
    task = await told(world)
    for turn in (1, 2, 3):
        await world.start(task.route, turn)
        await world.stream(task.route, turn, "text")
        await world.record(task.route, turn)
        await world.send(task.route)
    log = await world.log(task.route)
    for errand in (await task.all())[:3]:
        assert errand.turn is not None
        first = next(event.seq for event in log if event.data.get("turn") == errand.turn)
        assert errand.after_event < first
        before = [event.data.get("turn") for event in log[errand.after_event : first - 1]]
        assert all(turn in (None, errand.turn - 1) for turn in before)


async def test_a_question_ends_one_and_its_answer_is_the_next(world: World) -> None:
    task = await told(world)
    await world.start(task.route, 1)
    await world.record(task.route, 1, text="Hm", asks=[question("q"), question("p")])
    (first,) = await task.all()
    assert (first.state, [asked.id for asked in first.asked]) == (E.DONE, ["q", "p"])
    sent = await world.send(task.route, question="p")
    assert await task.states() == [E.DONE, E.PENDING]
    later = await world.send(task.route, question="q")
    assert await task.states() == [E.DONE, E.CANCELLED, E.PENDING]  # the turn that reads both is the later one's
    await world.start(task.route, 2)
    assert [(e.state, e.superseded) for e in await task.all()] == [
        (E.DONE, False), (E.CANCELLED, True), (E.RUNNING, False)
    ]  # fmt: skip
    await world.record(task.route, 2, text="So be it")
    found = await task.all()
    assert [(e.id, e.state) for e in found[1:]] == [(sent.message_id, E.CANCELLED), (later.message_id, E.DONE)]
    assert [question.id for question in found[0].asked] == ["q", "p"]
    assert found[2].answer == "So be it"


async def test_a_message_before_the_first_turn_supersedes_the_description(world: World) -> None:
    task = await told(world)
    await world.send(task.route, mode=SendMode.INTERRUPT)
    assert await task.states() == [E.CANCELLED, E.PENDING]
    await world.start(task.route, 1)
    assert await task.states() == [E.CANCELLED, E.RUNNING]


async def test_an_interrupted_one_is_cancelled_at_once(world: World) -> None:
    task = await told(world)
    await world.start(task.route, 1)
    await world.send(task.route, mode=SendMode.QUEUE)
    assert await task.states() == [E.RUNNING, E.PENDING]
    await world.send(task.route, mode=SendMode.INTERRUPT)
    assert await task.states() == [E.CANCELLED, E.CANCELLED, E.PENDING]
    await world.interrupted(task.route, 1, text="par")
    assert await task.states() == [E.CANCELLED, E.CANCELLED, E.PENDING]
    await world.start(task.route, 2)
    assert await task.states() == [E.CANCELLED, E.CANCELLED, E.RUNNING]
    await world.record(task.route, 2)
    assert await task.states() == [E.CANCELLED, E.CANCELLED, E.DONE]


async def test_a_queued_one_waits_for_the_one_before(world: World) -> None:
    task = await told(world)
    await world.start(task.route, 1)
    await world.send(task.route, mode=SendMode.QUEUE)
    await world.record(task.route, 1, text="first")
    assert await task.states() == [E.DONE, E.PENDING]
    await world.start(task.route, 2)
    await world.record(task.route, 2, text="second")
    assert [(e.state, e.answer) for e in await task.all()] == [(E.DONE, "first"), (E.DONE, "second")]


async def test_one_that_is_paused_and_resumed_goes_on(world: World) -> None:
    task = await told(world)
    await world.start(task.route, 1)
    await world.pause(task.route)
    assert await task.states() == [E.CANCELLED]
    await world.resume(task.route)
    assert await task.states() == [E.RUNNING]
    await world.interrupted(task.route, 1, text="par")
    assert await task.states() == [E.RUNNING]
    await world.start(task.route, 2)
    await world.record(task.route, 2, text="whole")
    (first,) = await task.all()
    assert (first.state, first.turn, first.last_turn, first.answer) == (E.DONE, 1, 2, "whole")
    await world.send(task.route)
    await world.start(task.route, 3)
    await world.record(task.route, 3, text="more")
    assert [(e.state, e.turn, e.last_turn, e.answer) for e in await task.all()] == [
        (E.DONE, 1, 2, "whole"), (E.DONE, 3, 3, "more")
    ]  # fmt: skip


async def test_one_whose_calls_are_approved_goes_on(world: World) -> None:
    route, (approval,) = await waiting(world)
    task = Told(world, route)
    (first,) = await task.all()
    assert (first.state, first.held) == (E.DONE, (("write", {"path": "w"}),))
    await decide(world, route, approval)
    assert await task.states() == [E.RUNNING]


async def test_a_withdrawn_one_is_cancelled_and_no_last_one(world: World) -> None:
    task = await told(world)
    await world.start(task.route, 1)
    await world.record(task.route, 1)
    sent = await world.send(task.route)
    await withdraw(world, task.route, sent)
    assert await task.states() == [E.DONE, E.CANCELLED]


async def test_failed_and_redriven_ones(world: World) -> None:
    task = await told(world)
    await world.start(task.route, 1)
    await world.record(task.route, 1)
    sent = await world.send(task.route)
    await world.start(task.route, 2)
    await world.fail(task.route, 2, "model_broken")
    found = await task.all()
    assert [(e.state, e.error) for e in found] == [(E.DONE, None), (E.FAILED, "model_broken")]
    async with world.pool.transaction() as connection:
        await receipts.redrive_message(connection, task.route, sent.message_id)
    assert await task.states() == [E.DONE, E.PENDING]
    await world.start(task.route, 3)
    await world.record(task.route, 3, text="at last")
    found = await task.all()
    assert [(e.state, e.turn, e.last_turn) for e in found] == [(E.DONE, 1, 1), (E.DONE, 3, 3)]


async def test_those_of_a_cancelled_task(world: World) -> None:
    task = await told(world)
    await world.start(task.route, 1)
    await world.send(task.route, mode=SendMode.QUEUE)
    await world.cancel(task.route)
    assert await task.states() == [E.CANCELLED, E.CANCELLED]
    other = await told(world)
    await world.start(other.route, 1)
    await world.record(other.route, 1, asks=[question("q")])
    await world.cancel(other.route)
    assert await other.states() == [E.DONE]


@pytest.mark.parametrize("state", TaskState)
async def test_the_only_one_in_every_state(world: World, state: TaskState) -> None:
    task = Told(world, await world.in_state(state))
    expected = {
        S.PENDING: E.PENDING, S.RUNNING: E.PENDING, S.WAITING: E.DONE, S.SUCCEEDED: E.DONE, S.FAILED: E.FAILED,
        S.PAUSED: E.CANCELLED, S.CANCELLED: E.CANCELLED,
    }  # fmt: skip
    assert await task.states() == [expected[state]]


async def test_stopping_one(world: World) -> None:
    task = await told(world)
    assert await task.stop(task.route.task_id) is S.PAUSED
    assert await task.states() == [E.CANCELLED]
    before = await world.row(task.route)
    assert await task.stop(task.route.task_id) is S.PAUSED
    assert await world.row(task.route) == before
    sent = await world.send(task.route)
    assert await task.states() == [E.CANCELLED, E.PENDING]
    assert await task.stop(task.route.task_id) is S.RUNNING  # what comes after it is left alone
    await world.start(task.route, 1)
    assert await task.stop(sent.message_id) is S.PAUSED
    assert (await world.box(task.route)).interrupt_turn == 1
    await world.interrupted(task.route, 1)
    assert await task.states() == [E.CANCELLED, E.CANCELLED]
    last = await world.send(task.route)
    await world.start(task.route, 2)
    await world.record(task.route, 2)
    with pytest.raises(Conflict) as refused:
        await task.stop(last.message_id)
    assert refused.value.state == "done"
    assert (await world.box(task.route)).state is S.SUCCEEDED
    with pytest.raises(MessageNotFound):
        await task.stop(uuid4())


async def test_a_stop_never_hits_the_next_one(world: World) -> None:
    """Whichever comes first: a message that was accepted runs."""
    for _ in range(examples(40)):
        task = await told(world)
        await world.start(task.route, 1)
        await asyncio.gather(task.stop(task.route.task_id), world.send(task.route, mode=SendMode.INTERRUPT))
        assert await task.states() == [E.CANCELLED, E.PENDING]
        box = await world.box(task.route)
        assert (box.state, box.interrupt_turn) == (S.RUNNING, 1)


async def test_pages(world: World) -> None:
    task = await told(world)
    sent = [await world.send(task.route, f"number {n}") for n in range(1, 6)]
    names = (world.tenant, task.route.task_id)
    async with world.pool.connection() as connection:
        newest = await errands.page(connection, *names, limit=2)
        assert [errand.seq for errand in newest] == [5, 4]
        rest = await errands.page(connection, *names, limit=10, highest=3)
        assert [errand.seq for errand in rest] == [3, 2, 1, 0]
        assert await errands.view(connection, uuid4(), sent[0].message_id) is None
        assert await errands.page(connection, uuid4(), task.route.task_id, limit=10) == []
        assert await errands.view(connection, world.tenant, uuid4()) is None


async def test_what_was_said_last(world: World) -> None:
    task = await told(world)
    await world.send(task.route, metadata={"mood": "calm"})
    await world.send(task.route, metadata={"other": "x"})
    await world.send(task.route, metadata={"mood": "hasty"})
    async with world.pool.connection() as connection:
        said = [await errands.last_said(connection, world.tenant, task.route.task_id, seq, "mood") for seq in range(4)]
    assert said == [None, "calm", "calm", "hasty"]


async def test_archived_tasks_are_not_listed(world: World) -> None:
    routes = [await world.task() for _ in range(3)]
    other = await world.task(await world.new_agent())
    async with world.pool.connection() as connection:
        assert await tasks.archive(connection, world.tenant, routes[1].task_id)
        assert await tasks.archive(connection, world.tenant, routes[1].task_id)
        assert not await tasks.archive(connection, uuid4(), routes[0].task_id)
        listed = await tasks.with_errands(connection, whole_tenant(world.tenant), limit=10)
        assert [task.id for task in listed] == [other.task_id, routes[2].task_id, routes[0].task_id]
        before = listed[1].number
        rest = await tasks.with_errands(connection, whole_tenant(world.tenant), limit=10, before=before)
        assert [task.id for task in rest] == [routes[0].task_id]
        own = await tasks.with_errands(connection, Bounds(world.tenant, other.agent_id), limit=10)
        assert [task.id for task in own] == [other.task_id]
        assert await tasks.with_errands(connection, whole_tenant(uuid4()), limit=10) == []


async def test_a_task_by_its_slug(world: World) -> None:
    route = await world.task()
    row = await world.row(route)
    slug = slug_of(row["title"], row["number"])
    async with world.pool.connection() as connection:
        assert await routes.route(connection, whole_tenant(world.tenant), TaskBySlug(slug)) == route
        for wrong in (f"x{slug}", slug.replace("task", "tusk"), f"{slug}0", "plan", str(row["number"])):
            with pytest.raises(TaskNotFound):
                await routes.route(connection, whole_tenant(world.tenant), TaskBySlug(wrong))
        with pytest.raises(TaskNotFound):
            await routes.route(connection, whole_tenant(uuid4()), TaskBySlug(slug))


async def test_files_that_come_with_a_description(world: World) -> None:
    file = Attachment("a.txt", "text/plain", "data:,a")
    task_id: UUID = uuid4()
    new = NewExecution(
        tenant_id=world.tenant,
        id=uuid4(),
        in_plan=False,
        agent_id=world.agent.id,
        title="t",
        queue="q",
        tasks=(NewTask(task_id, 1, "t", "d", attachments=(file,)),),
    )
    async with world.pool.connection() as connection:
        await creation.create(connection, new, ring_seconds=60)
        assert (await transcripts.read(connection, world.tenant, task_id)).attachments == (file,)
