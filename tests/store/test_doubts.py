"""Calls that may not be repeated and may have happened: never made again but on a person's word."""

import pytest

from baton.domain.conversation import ToolCall, ToolResult
from baton.domain.doubts import (
    GIVE_UP,
    HAPPENED,
    MAKE_IT,
    MAY_HAVE_HAPPENED,
    NO_MORE_KNOWN,
    NOT_KNOWN,
    question_key,
)
from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Standing, Then
from baton.domain.states import SendMode, TaskState
from baton.store import errands, tools, transcripts
from baton.store.tools import StartedCall
from tests.store.test_receipts import withdraw
from tests.store.test_tools import calling, rows
from tests.store.world import World, call, key

S = TaskState
#: `call` names this one.
ONCE = ("clock",)


async def begin(world: World, route: TaskRoute, call_id: str, turn: int = 1) -> StartedCall | Standing:
    """A worker comes to make a call that may not be repeated."""
    async with world.pool.transaction() as connection:
        return await tools.start_tool(connection, key(route, turn), call_id, ONCE)


async def begun(world: World, route: TaskRoute, call_id: str, turn: int = 1) -> StartedCall:
    started = await begin(world, route, call_id, turn)
    assert isinstance(started, StartedCall)
    return started


async def asked(world: World, route: TaskRoute, call_id: str, turn: int = 1) -> Standing:
    """A worker comes again."""
    where = await begin(world, route, call_id, turn)
    assert isinstance(where, Standing)
    return where


async def end(world: World, route: TaskRoute, call_id: str, turn: int = 1) -> Standing:
    async with world.pool.transaction() as connection:
        return await tools.record_tool(connection, key(route, turn), ToolResult(call_id, "result"))


async def test_a_call_that_may_have_happened_is_asked_about(world: World) -> None:
    route = await calling(world, "a")
    first = await begun(world, route, "a")
    assert (first.call, first.attempt, first.once) == (call("a"), 1, True)
    where = await asked(world, route, "a")
    assert (where.then, where.box.state) == (Then.REST, S.WAITING)
    (question,) = where.box.questions
    assert (question.call_id, question.choices) == (question_key("a"), (HAPPENED, MAKE_IT, GIVE_UP))
    assert question.text.splitlines()[:2] == [
        "Did this call of clock happen? Its worker stopped during the call.",
        '{"zone": "UTC"}',
    ]
    assert await rows(world, route) == [("a", "unsure", None)]
    again = await asked(world, route, "a")
    assert again.box == where.box, "a worker that comes late asks nothing more"


@pytest.mark.parametrize(
    ("answer", "content", "failed"),
    [
        (HAPPENED, NO_MORE_KNOWN, False),
        ("it happened.", NO_MORE_KNOWN, False),
        (f"{HAPPENED}: refund 77: paid", "refund 77: paid", False),
        (GIVE_UP, NOT_KNOWN, True),
        ("no", NOT_KNOWN, True),
        ("It did not happen", NOT_KNOWN, True),
        ("make the call", NOT_KNOWN, True),
    ],
)
async def test_what_a_person_says_is_the_result(world: World, answer: str, content: str, failed: bool) -> None:
    route = await calling(world, "a")
    await begun(world, route, "a")
    await asked(world, route, "a")
    await world.send(route, answer)
    await world.start(route, 2)
    assert await rows(world, route) == [("a", "done", content)]
    completed = next(event for event in await world.log(route) if event.type == EventType.TOOL_COMPLETED)
    assert (completed.data["content"], completed.data["failed"]) == (content, failed)
    async with world.pool.connection() as connection:
        read = await transcripts.read(connection, world.tenant, route.task_id)
    (result,) = read.turns[0].steps[0].results
    assert (result.content, result.failed) == (content, failed)


async def test_a_call_that_did_not_happen_is_made_and_may_be_asked_about_again(world: World) -> None:
    """Also after turns that took no step: the call stays that of the step that asked for it."""
    route = await calling(world, "a")
    await begun(world, route, "a")
    await asked(world, route, "a")
    for turn in (2, 3):
        await world.send(route, MAKE_IT)
        where = await world.start(route, turn)
        assert isinstance(where, Standing)
        assert (where.then, where.turn, where.step, where.calls) == (Then.TOOLS, 1, 0, (call("a"),))
        started = await begun(world, route, "a")
        assert started.attempt == turn
        if turn == 2:
            where = await asked(world, route, "a")
            assert (where.then, where.box.state, where.box.held) == (Then.REST, S.WAITING, (1, 0))
            assert len(where.box.questions) == 1
    assert not isinstance(await world.start(route, 3), StartedCall), "the turn goes on with its call"
    where = await end(world, route, "a")
    assert (where.then, where.turn, where.step) == (Then.STEP, 3, 0)
    assert await rows(world, route) == [("a", "done", "result")]
    attempts = [
        event.data.get("attempt", 1) for event in await world.log(route) if event.type == EventType.TOOL_STARTED
    ]
    assert attempts == [1, 2, 3]


async def test_parallel_calls_each_for_themselves(world: World) -> None:
    """One has its result, one is repeated as it may be, two are asked about, each with an answer of its own."""
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, calls=[call("a"), ToolCall("b", "linger", {}), call("c"), call("d")])
    for call_id in ("a", "b", "c", "d"):
        await begun(world, route, call_id)
    await end(world, route, "a")
    where = await asked(world, route, "c")
    assert (where.then, [one.id for one in where.calls]) == (Then.TOOLS, ["b", "d"])
    await asked(world, route, "d")
    assert (await begun(world, route, "b")).attempt == 2
    where = await end(world, route, "b")
    assert [question.call_id for question in where.box.questions] == [question_key("c"), question_key("d")]
    for question, answer in zip(where.box.questions, (f"{HAPPENED}: so", MAKE_IT), strict=True):
        assert (await world.box(route)).state is S.WAITING
        await world.send(route, answer, question=question.id)
    where = await world.start(route, 2)
    assert isinstance(where, Standing)
    assert where.calls == (call("d"),)
    assert [row[1:] for row in await rows(world, route)] == [
        ("done", "result"),
        ("done", "result"),
        ("done", "so"),
        ("pending", None),
    ]


async def test_a_result_that_comes_before_anybody_is_asked_counts(world: World) -> None:
    """Temporal has only not heard of the worker for a while."""
    route = await calling(world, "a", "b")
    await begun(world, route, "a")
    await begun(world, route, "b")
    await asked(world, route, "a")
    await end(world, route, "a")
    where = await end(world, route, "b")
    assert (where.then, where.box.questions) == (Then.STEP, ())


async def test_a_call_that_never_began_is_begun_again(world: World) -> None:
    route = await calling(world, "a")
    started = await begun(world, route, "a")
    async with world.pool.connection() as connection:
        await tools.not_begun(connection, key(route, 1), started)
    assert (await begun(world, route, "a")).attempt == 2


async def test_a_call_is_asked_about_by_a_worker_that_knows_nothing_of_its_tool(world: World) -> None:
    route = await calling(world, "a")
    await begun(world, route, "a")
    async with world.pool.transaction() as connection:
        where = await tools.start_tool(connection, key(route, 1), "a")
    assert isinstance(where, Standing)
    assert len(where.box.questions) == 1


@pytest.mark.parametrize("unsure", [False, True])
async def test_an_interrupt_says_that_it_may_have_happened(world: World, unsure: bool) -> None:
    route = await calling(world, "a", "b", "c")
    await begun(world, route, "a")
    await begun(world, route, "b")
    if unsure:
        await asked(world, route, "a")
    await world.send(route, "stop", mode=SendMode.INTERRUPT)
    await asked(world, route, "b")
    assert await rows(world, route) == [
        ("a", "done", MAY_HAVE_HAPPENED),
        ("b", "done", MAY_HAVE_HAPPENED),
        ("c", "done", "interrupted"),
    ]


@pytest.mark.parametrize(("unsure", "content"), [(False, MAY_HAVE_HAPPENED), (True, NOT_KNOWN)])
async def test_a_cancel_says_that_it_may_have_happened(world: World, unsure: bool, content: str) -> None:
    route = await calling(world, "a")
    await begun(world, route, "a")
    if unsure:
        await asked(world, route, "a")
    await world.cancel(route)
    assert await rows(world, route) == [("a", "done", content)]
    assert (await world.box(route)).held is None


async def test_a_message_that_came_before_the_question_does_not_answer_it(world: World) -> None:
    """The agent is told that nobody knows, and the question stays open."""
    route = await calling(world, "a")
    await begun(world, route, "a")
    await world.send(route, MAKE_IT)
    where = await asked(world, route, "a")
    assert where.box.state is S.RUNNING
    assert await rows(world, route) == [("a", "done", NOT_KNOWN)]
    await world.start(route, 2)
    where = await world.record(route, 2)
    assert (where.box.state, len(where.box.questions)) == (S.WAITING, 1)
    await world.send(route, MAKE_IT)
    await world.start(route, 3)
    assert await rows(world, route) == [("a", "done", NOT_KNOWN)], "the agent reads it, and calls again if it likes"


async def test_an_answer_that_is_withdrawn_decides_nothing(world: World) -> None:
    route = await calling(world, "a")
    await begun(world, route, "a")
    before = await asked(world, route, "a")
    receipt = await world.send(route, MAKE_IT)
    await withdraw(world, receipt)
    box = await world.box(route)
    assert (box.state, box.questions, box.held) == (S.WAITING, before.box.questions, (1, 0))


async def test_a_pause_and_a_resume_leave_it_open(world: World) -> None:
    route = await calling(world, "a")
    await begun(world, route, "a")
    before = await asked(world, route, "a")
    await world.pause(route)
    await world.resume(route)
    box = await world.box(route)
    assert (box.state, box.questions, box.held) == (S.WAITING, before.box.questions, (1, 0))
    assert await rows(world, route) == [("a", "unsure", None)]


async def test_what_is_asked_is_part_of_what_was_done(world: World) -> None:
    """Of the transcript, and of the job that the turn was: what a model asks beside it comes first."""
    route = await calling(world, "a", "b", asks=("q",))
    await begun(world, route, "a")
    await begun(world, route, "b")
    await asked(world, route, "a")
    where = await asked(world, route, "b")
    expected = ["call-q", question_key("a"), question_key("b")]
    assert [question.call_id for question in where.box.questions] == expected
    async with world.pool.connection() as connection:
        timeline = await transcripts.timeline(connection, world.tenant, route.task_id)
        (errand,) = await errands.page(connection, world.tenant, route.task_id, limit=10)
    assert [question.call_id for question in timeline.steps[0].asked] == expected
    assert [question.call_id for question in errand.asked] == expected
