"""Tool calls of a step: each recorded once, the last one decides how the turn goes on."""

import asyncio

import pytest

from baton.domain.conversation import ToolCall, ToolResult
from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Standing, Then
from baton.domain.states import SendMode, TaskState
from baton.store import tools, transcripts
from baton.store.steps import MOST_QUESTIONS
from baton.store.tools import StartedCall
from tests.store.test_steps import stands, started
from tests.store.world import World, call, items, key, question

S, T = TaskState, EventType


async def begin(world: World, route: TaskRoute, call_id: str, turn: int = 1, step: int = 0) -> ToolCall | Standing:
    """A worker comes to make a call."""
    async with world.pool.transaction() as connection:
        started = await tools.start_tool(connection, key(route, turn, step), call_id)
    return started.call if isinstance(started, StartedCall) else started


async def end(world: World, route: TaskRoute, call_id: str, content: str = "result", turn: int = 1) -> Standing:
    """A worker records what a call gave."""
    async with world.pool.transaction() as connection:
        return await tools.record_tool(connection, key(route, turn), ToolResult(call_id, content))


async def calling(world: World, *ids: str, asks: tuple[str, ...] = (), refused: tuple[str, ...] = ()) -> TaskRoute:
    """A task whose first step made these calls; those that are refused are answered already."""
    route = await world.task()
    await world.start(route, 1)
    await world.record(
        route,
        1,
        text="calling",
        asks=[question(id) for id in asks],
        calls=[call(id) for id in (*ids, *refused)],
        refused=[ToolResult(id, "no", failed=True) for id in refused],
    )
    return route


async def rows(world: World, route: TaskRoute) -> list[tuple[str, str, object]]:
    """The calls: id, state, content."""
    found = await world.rows(
        "SELECT * FROM tool_calls WHERE tenant_id = $1 AND task_id = $2 ORDER BY turn, step, ordinal", route.task_id
    )
    return [(row["call_id"], row["state"], row["content"]) for row in found]


async def test_calls_are_told_in_the_models_order(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    where = await world.record(route, 1, calls=[call("z"), call("a"), call("m")])
    assert (where.then, where.turn, where.step) == (Then.TOOLS, 1, 0)
    assert where.calls == (call("z"), call("a"), call("m"))
    completed = (await world.log(route))[-1]
    assert completed.seq == where.event_seq
    assert [one["id"] for one in items(completed, "calls")] == ["z", "a", "m"]


async def test_the_last_call_takes_the_turn_to_its_next_step(world: World) -> None:
    route = await calling(world, "a", "b")
    assert await begin(world, route, "a") == call("a")
    assert await begin(world, route, "b") == call("b")
    left = await end(world, route, "b")
    assert (left.then, left.step, left.calls) == (Then.TOOLS, 0, (call("a"),))
    last = await end(world, route, "a")
    assert (last.then, last.turn, last.step) == (Then.STEP, 1, 1)
    begun_a, begun_b, ended_b, ended_a = (await world.log(route))[-4:]
    called = {"turn": 1, "step": 0, "call_id": "a", "name": "clock", "arguments": {"zone": "UTC"}}
    assert begun_a.data == {**called, "attempt": 1}
    assert (begun_b.type, ended_b.type) == (T.TOOL_STARTED, T.TOOL_COMPLETED)
    assert ended_b.data["call_id"] == "b"
    assert (ended_a.data["content"], ended_a.data["failed"], ended_a.seq) == ("result", False, last.event_seq)
    assert started(await world.start(route, 1, 1)).attempt == 1
    await world.record(route, 1, 1)
    assert (await world.box(route)).state is S.SUCCEEDED


async def test_a_recorded_call_is_not_made_again(world: World) -> None:
    route = await calling(world, "a", "b")
    await begin(world, route, "a")
    await end(world, route, "a", "first")
    before = await rows(world, route), await world.log(route), await world.row(route)
    assert stands(await begin(world, route, "a")) == (Then.TOOLS, 1, 0)
    assert stands(await end(world, route, "a", "second")) == (Then.TOOLS, 1, 0)
    assert (await rows(world, route), await world.log(route), await world.row(route)) == before
    assert await rows(world, route) == [("a", "done", "first"), ("b", "pending", None)]


async def test_a_call_that_was_begun_is_made_again_after_a_crash(world: World) -> None:
    route = await calling(world, "a")
    assert await begin(world, route, "a") == await begin(world, route, "a") == call("a")
    assert stands(await end(world, route, "a")) == (Then.STEP, 1, 1)


async def test_a_call_that_nobody_asked_for(world: World) -> None:
    route = await calling(world, "a")
    assert stands(await begin(world, route, "nonsense")) == (Then.TOOLS, 1, 0)
    assert stands(await end(world, route, "nonsense")) == (Then.TOOLS, 1, 0)
    assert await rows(world, route) == [("a", "pending", None)]


async def test_questions_beside_calls_are_asked_when_the_last_call_is_made(world: World) -> None:
    route = await calling(world, "a", "b", asks=("zz", "q"))
    assert (await world.box(route)).questions == ()
    await end(world, route, "a")
    assert (await world.box(route)).state is S.RUNNING
    where = await end(world, route, "b")
    assert (where.then, where.box.state) == (Then.REST, S.WAITING)
    assert where.box.questions == (question("zz"), question("q"))
    kinds = [event.type for event in await world.log(route)]
    assert kinds[-4:] == [T.TOOL_COMPLETED, T.QUESTION_ASKED, T.QUESTION_ASKED, T.TURN_ENDED]
    await world.send(route, "an answer")
    await world.start(route, 2)
    async with world.pool.connection() as connection:
        read = await transcripts.read(connection, world.tenant, route.task_id)
    (step,) = read.turns[0].steps
    assert [result.call_id for result in step.results] == ["a", "b"]
    assert dict(step.questions) == {"call-zz": "zz", "call-q": "q"}
    assert read.turns[1].messages[0].answers == ("zz", "q")


async def test_a_call_that_is_refused_needs_nobody_to_make_it(world: World) -> None:
    route = await calling(world, refused=("r",))
    assert await rows(world, route) == [("r", "done", "no")]
    last = (await world.log(route))[-1]
    assert (last.type, last.data["failed"]) == (T.TOOL_COMPLETED, True)
    assert stands(await world.start(route, 1)) == (Then.STEP, 1, 1)


async def test_a_question_beside_a_call_that_is_refused_is_asked(world: World) -> None:
    """Nobody comes back to make a call that is made: the step itself has to ask."""
    route = await calling(world, asks=("q",), refused=("r",))
    box = await world.box(route)
    assert (box.state, box.turn_open) == (S.WAITING, False)
    assert box.questions == (question("q"),)
    assert await rows(world, route) == [("r", "done", "no")]
    kinds = [event.type for event in await world.log(route)]
    assert kinds[-4:] == [T.STEP_COMPLETED, T.TOOL_COMPLETED, T.QUESTION_ASKED, T.TURN_ENDED]


async def test_calls_that_end_at_the_same_time_are_decided_once(world: World) -> None:
    for asks in ((), ("q",)):
        route = await calling(world, *(f"c{n}" for n in range(8)), asks=asks)
        ended = await asyncio.gather(*(end(world, route, f"c{n % 8}") for n in range(16)))
        box = await world.box(route)
        kinds = [event.type for event in await world.log(route)]
        assert kinds.count(T.TOOL_COMPLETED) == 8
        assert kinds.count(T.TURN_ENDED) == len(asks)
        assert box.state is (S.WAITING if asks else S.RUNNING)
        final = max(ended, key=lambda where: (where.event_seq, where.then is not Then.TOOLS))
        assert stands(final) == ((Then.REST, 1, 0) if asks else (Then.STEP, 1, 1))


@pytest.mark.parametrize("asks", [(), ("q",)])
async def test_an_interrupt_ends_the_turn_at_the_next_word_of_a_call(world: World, asks: tuple[str, ...]) -> None:
    """The calls that are left are given a result, so that the model reads one for each of them."""
    for come in (begin, end):
        route = await calling(world, "a", "b", asks=asks)
        await begin(world, route, "a")
        await world.send(route, "stop", mode=SendMode.INTERRUPT)
        where = await come(world, route, "a")
        assert stands(where) == (Then.STEP, 2, 0)  # type: ignore[arg-type]
        gave = "interrupted" if come is begin else "result"
        assert await rows(world, route) == [("a", "done", gave), ("b", "done", "interrupted")]
        assert (await world.log(route))[-1].data["outcome"] == "interrupted"
        assert [one.id for one in (await world.box(route)).questions] == list(asks), "asked is asked"
        assert stands(await end(world, route, "b")) == (Then.STEP, 2, 0)
        assert (await rows(world, route))[1] == ("b", "done", "interrupted")


async def test_a_question_beside_a_call_is_not_lost_by_a_pause(world: World) -> None:
    route = await calling(world, "a", asks=("q",))
    await begin(world, route, "a")
    await world.pause(route)
    assert stands(await end(world, route, "a", "interrupted")) == (Then.REST, 1, 0)
    assert (await world.resume(route)).box.state is S.WAITING
    assert [one.id for one in (await world.box(route)).questions] == ["q"]


async def test_calls_of_a_cancelled_task_change_nothing(world: World) -> None:
    route = await calling(world, "a")
    await begin(world, route, "a")
    await world.cancel(route)
    log = await world.log(route)
    assert stands(await begin(world, route, "a")) == (Then.REST, 1, 0)
    assert stands(await end(world, route, "a")) == (Then.REST, 1, 0)
    assert await world.log(route) == log


async def test_a_task_has_so_many_open_questions_at_most(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    asks = [question(f"q{number}") for number in range(MOST_QUESTIONS + 2)]
    where = await world.record(route, 1, asks=asks)
    assert where.then is Then.REST
    async with world.pool.connection() as connection:
        transcript = await transcripts.read(connection, world.tenant, route.task_id)
    refused = transcript.turns[0].steps[0].results
    assert [(result.call_id, result.failed) for result in refused] == [
        (f"call-q{number}", True) for number in (MOST_QUESTIONS, MOST_QUESTIONS + 1)
    ]
    assert len((await world.row(route))["open_questions"]) == MOST_QUESTIONS
