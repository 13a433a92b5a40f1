"""Turns and steps: claimed once, recorded once, whoever comes late or twice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from baton.domain.conversation import ModelReply, ToolCall, Usage
from baton.domain.errors import TaskNotFound
from baton.domain.events import Event, EventType, StepFailed
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Standing, Then
from baton.domain.states import ExecutionState, SendMode, TaskState
from baton.store import failures, steps, transcripts
from baton.store.failures import FailedAttempt, FailureVerdict
from baton.store.steps import Delta, StepAttempt
from tests.store.world import World, call, key, question

S, T = TaskState, EventType


def started(found: StepAttempt | Standing) -> StepAttempt:
    """A step that is to be taken."""
    assert isinstance(found, StepAttempt)
    return found


def stands(found: StepAttempt | ToolCall | Standing) -> tuple[Then, int, int]:
    """Where the task stands instead."""
    assert isinstance(found, Standing)
    return found.then, found.turn, found.step


async def kinds(world: World, route: TaskRoute, after: int = 0) -> list[str]:
    return [event.type for event in (await world.log(route))[after:]]


async def states(world: World, route: TaskRoute) -> list[tuple[str, int | None]]:
    """The task's messages: state and turn."""
    return [(message["state"], message["turn"]) for message in await world.messages(route)]


async def test_the_first_step_of_a_turn_claims_what_was_accepted(world: World) -> None:
    route = await world.task()
    sent = [await world.send(route, f"m{n}") for n in range(3)]
    before = await world.box(route)
    step = started(await world.start(route, 1))
    after = await world.box(route)
    assert (step.attempt, step.failures, step.position) == (1, 0, 1)
    assert after == replace(before, version=before.version + 1, turn=1, turn_open=True, unclaimed=0)
    assert await states(world, route) == [("claimed", 1)] * 3
    assert all(message["claimed_at"] for message in await world.messages(route))
    begun, first = (await world.log(route))[-2:]
    assert (begun.type, first.type) == (T.TURN_STARTED, T.STEP_STARTED)
    told = [{"message_id": str(receipt.message_id), "seq": receipt.seq} for receipt in sent]
    assert begun.data == {"turn": 1, "messages": told}
    assert first.data == {"turn": 1, "step": 0}
    assert step.event_seq == first.seq
    assert (await world.row(route))["ring_at"] is None


async def test_a_turn_that_is_claimed_claims_nothing_more(world: World) -> None:
    route = await world.task()
    await world.send(route)
    await world.start(route, 1)
    await world.send(route)
    assert started(await world.start(route, 1)).attempt == 2
    assert await states(world, route) == [("claimed", 1), ("accepted", None)]


async def test_a_retry_voids_what_was_streamed_and_only_that(world: World) -> None:
    route = await world.task()
    one = started(await world.start(route, 1))
    two = started(await world.start(route, 1))
    assert (one.attempt, two.attempt) == (1, 2)
    assert await kinds(world, route, one.event_seq) == [], "nothing was streamed, nothing is void"
    await world.stream(route, 1, "par", attempt=2)
    await world.stream(route, 1, "tial", attempt=2)
    three = started(await world.start(route, 1))
    voided = (await world.log(route))[-1]
    assert (voided.type, voided.seq) == (T.STEP_VOIDED, three.event_seq)
    assert voided.data == {"turn": 1, "step": 0, "attempt": 2}
    four = started(await world.start(route, 1))
    assert (four.attempt, four.event_seq) == (4, three.event_seq), "the third attempt streamed nothing"


async def test_what_another_task_or_step_streamed_is_not_void(world: World) -> None:
    one, two = await world.plan((), ())
    await world.advance(one)
    await world.start(one, 1)
    await world.stream(one, 1, "step 0")
    await world.record(one, 1, calls=[call("c")])
    await world.start(two, 1)
    first = started(await world.start(one, 1, 1))
    await world.stream(two, 1, "two's", step=1)
    again = started(await world.start(one, 1, 1))
    assert (again.attempt, T.STEP_VOIDED in await kinds(world, one, first.event_seq)) == (2, False)


async def test_an_overtaken_attempt_records_nothing(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.start(route, 1)

    async def recorded() -> tuple[object, ...]:
        """All but how many attempts the workers have survived, and have been counted."""
        rows = [{**step, "survived": 0, "counted": 0} for step in await world.steps(route)]
        return await world.row(route), rows, await world.log(route)

    before = await recorded()
    late = [Delta(route.task_id, 1, 1, 0, 1, "late")]
    for come in (
        world.record(route, 1, attempt=1, asks=[question("q")], streamed=late),
        world.interrupted(route, 1, attempt=1, text="late", streamed=late),
        world.record(route, 1, attempt=3),
    ):
        assert stands(await come) == (Then.STEP, 1, 0)
    async with world.pool.transaction() as connection:
        judged: list[int] = []
        await failures.count_failure(
            connection, key(route, 1), 1, FailedAttempt("rate_limited"), late, judge(judged, 6)
        )
        assert judged == []
    assert await recorded() == before
    assert stands(await world.record(route, 1, attempt=2)) == (Then.REST, 1, 0)


async def test_a_recorded_step_is_not_taken_again(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, text="used a tool", calls=[call("c")])
    before = await world.row(route), await world.steps(route), await world.log(route)
    again = await world.start(route, 1)
    assert stands(again) == (Then.TOOLS, 1, 0)
    assert isinstance(again, Standing)
    assert again.calls == (call("c"),)
    assert stands(await world.record(route, 1, text="again")) == (Then.STEP, 1, 0)
    assert (await world.row(route), await world.steps(route), await world.log(route)) == before


async def test_an_answer_without_calls_ends_turn_and_task(world: World) -> None:
    route = await world.task()
    await world.send(route)
    await world.start(route, 1)
    box = await world.box(route)
    streamed = [Delta(route.task_id, 1, 1, 0, 1, "the ans"), Delta(route.task_id, 1, 1, 0, 1, "wer")]
    where = await world.record(route, 1, text="the answer", streamed=streamed)
    assert (
        where.box == await world.box(route) == replace(box, version=box.version + 1, turn_open=False, state=S.SUCCEEDED)
    )
    assert (where.then, where.turn, where.step, where.plan_looks) == (Then.REST, 1, 0, False)
    row, execution = await world.row(route), await world.execution(route)
    assert (row["result"], row["error_code"], row["ring_at"]) == ("the answer", None, None)
    assert row["completed_at"] is not None
    assert (execution["state"], execution["completed_at"] is not None) == ("succeeded", True)
    assert execution["ring_at"] is None, "a single task has no plan to ring"
    (message,) = await world.messages(route)
    assert (message["state"], message["reason"], message["ended_at"] is not None) == ("processed", None, True)
    (step,) = await world.steps(route)
    assert (step["state"], step["text"], step["response"]) == ("recorded", "the answer", {"text": "the answer"})
    one, two, completed, ended = (await world.log(route))[-4:]
    assert [event.data["text"] for event in (one, two)] == ["the ans", "wer"]
    assert completed.type is T.STEP_COMPLETED
    told: dict[str, Any] = {"turn": 1, "step": 0, "text": "the answer", "calls": [], "interrupted": False}
    assert completed.data == {**told, "finish_reason": "", "usage": None, "model": "", "refused": ""}
    assert (ended.type, ended.seq) == (T.TURN_ENDED, where.event_seq)
    assert (ended.task_state, ended.execution_state) == (S.SUCCEEDED, ExecutionState.SUCCEEDED)
    assert ended.data == {
        "turn": 1,
        "outcome": "answered",
        "result": "the answer",
        "error": None,
        "error_message": "",
        "messages": [{"message_id": str(message["id"]), "seq": 1}],
        "open_questions": [],
        "open_approvals": [],
    }


async def test_questions_make_the_task_wait(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    where = await world.record(route, 1, asks=[question("a"), question("b")])
    assert where.box.state is S.WAITING
    assert where.box.questions == (question("a"), question("b"))
    assert (await world.box(route)).questions == where.box.questions
    assert (await world.row(route))["waiting_since"] is not None
    *_, a, b, ended = await world.log(route)
    assert [event.data["question_id"] for event in (a, b)] == ["a", "b"]
    assert {event.type for event in (a, b)} == {T.QUESTION_ASKED}
    assert (ended.task_state, ended.execution_state) == (S.WAITING, ExecutionState.WAITING)
    ((waiting,), _) = await world.waited_after(ended)
    assert waiting.position == 1
    assert waiting.question == "a?\nb?"


async def test_a_message_that_came_meanwhile_keeps_the_task_running(world: World) -> None:
    """Nothing closes over a message that no turn has read; a question asked after it stays open."""
    for asks in ((), (question("q"),)):
        route = await world.task()
        await world.start(route, 1)
        await world.send(route, "in between")
        where = await world.record(route, 1, asks=asks)
        assert (where.then, where.turn, where.step) == (Then.STEP, 2, 0)
        assert where.box.state is S.RUNNING
        assert where.box.questions == asks
        assert await states(world, route) == [("accepted", None)]
        assert (await world.messages(route))[0]["answers"] == []
        started(await world.start(route, 2))
        await world.record(route, 2)
        assert (await world.box(route)).state is (S.WAITING if asks else S.SUCCEEDED)


async def test_a_failed_turn_makes_its_messages_dead_and_a_later_one_reopens(world: World) -> None:
    route = await world.task()
    await world.send(route)
    await world.start(route, 1)
    where = await world.fail(route, 1, "model_broken")
    assert (where.then, where.box.state) == (Then.REST, S.FAILED)
    row = await world.row(route)
    assert (row["error_code"], (await world.execution(route))["state"]) == ("model_broken", "failed")
    (message,) = await world.messages(route)
    assert (message["state"], message["reason"]) == ("dead", "model_broken")
    assert [(step["state"], step["error_code"]) for step in await world.steps(route)] == [("failed", "model_broken")]
    dead, ended = (await world.log(route))[-2:]
    assert dead.type is T.MESSAGES_DEAD
    assert dead.data == {"messages": ended.data["messages"], "reason": "model_broken"}
    assert (ended.data["outcome"], ended.data["error"]) == ("failed", "model_broken")
    assert stands(await world.fail(route, 1)) == (Then.REST, 1, 0), "again changes nothing"
    assert (await world.log(route))[-1] == ended

    assert (await world.send(route)).reopened
    row = await world.row(route)
    assert (row["state"], row["error_code"], row["completed_at"]) == ("running", None, None)
    started(await world.start(route, 2))
    await world.record(route, 2)
    assert await states(world, route) == [("dead", 1), ("processed", 2)]


async def test_a_failed_turn_does_not_take_a_waiting_message_with_it(world: World) -> None:
    route = await world.task()
    await world.send(route)
    await world.start(route, 1)
    await world.send(route)
    assert stands(await world.fail(route, 1)) == (Then.STEP, 2, 0)
    assert (await world.box(route)).state is S.RUNNING
    assert await states(world, route) == [("dead", 1), ("accepted", None)]
    assert (await world.row(route))["error_code"] is None


def judge(judged: list[int], limit: int) -> Callable[[int, float], tuple[FailureVerdict, float]]:
    """Gives up after ``limit`` failures; ``judged`` has those that it was asked about."""

    def verdict(failures: int, seconds: float) -> tuple[FailureVerdict, float]:
        assert seconds >= 0
        judged.append(failures)
        return (FailureVerdict.GIVE_UP, 0.0) if failures >= limit else (FailureVerdict.TRY_AGAIN, 1.0)

    return verdict


async def test_failures_are_counted_by_attempt(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    for attempt in (1, 2, 3):
        async with world.pool.transaction() as connection:
            delta = Delta(route.task_id, 1, 1, 0, attempt, "part")
            failure = FailedAttempt("rate_limited", "Too many.", usage=Usage(10, 2, calls=1))
            judged: list[int] = []
            await failures.count_failure(connection, key(route, 1), attempt, failure, [delta], judge(judged, 3))
            assert judged == [attempt]
        failed = (await world.log(route))[-1].body
        assert isinstance(failed, StepFailed)
        assert (failed.attempt, failed.code, failed.message) == (attempt, "rate_limited", "Too many.")
        assert (failed.retrying, bool(failed.retry_at)) == (attempt < 3, attempt < 3)
        assert failed.usage == Usage(10, 2, calls=1)
        again = started(await world.start(route, 1))
        assert (again.attempt, again.failures) == (attempt + 1, attempt)
    assert (await kinds(world, route)).count(T.STEP_VOIDED) == 3


async def test_a_killed_worker_counts_no_failure(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    again = started(await world.start(route, 1))
    assert (again.attempt, again.failures) == (2, 0)


async def test_an_interrupt_ends_the_turn_it_names(world: World) -> None:
    route = await world.task()
    first = await world.send(route)
    await world.start(route, 1)
    second = await world.send(route, mode=SendMode.INTERRUPT)
    rest = [Delta(route.task_id, 1, 1, 0, 1, " text")]
    where = await world.interrupted(route, 1, text="some text", streamed=rest)
    assert (where.then, where.turn, where.step, where.box.state) == (Then.STEP, 2, 0, S.RUNNING)
    assert await states(world, route) == [("processed", 1), ("accepted", None)]
    (step,) = await world.steps(route)
    assert (step["state"], step["text"]) == ("interrupted", "some text")
    *_, delta, completed, ended = await world.log(route)
    assert delta.data["text"] == " text"
    assert (completed.data["text"], completed.data["interrupted"]) == ("some text", True)
    assert ended.data["outcome"] == "interrupted"
    assert ended.data["messages"] == [{"message_id": str(first.message_id), "seq": 1}]
    begun = started(await world.start(route, 2))
    turn = (await world.log(route))[begun.event_seq - 2]
    assert turn.data["messages"] == [{"message_id": str(second.message_id), "seq": 2}]
    where = await world.record(route, 2)
    assert where.box.state is S.SUCCEEDED, "the interrupt was for the turn before"


async def test_an_answer_that_is_ready_when_the_interrupt_comes_is_kept(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.send(route, mode=SendMode.INTERRUPT)
    where = await world.record(route, 1, text="all of it", calls=[call("c")])
    assert (where.then, where.turn) == (Then.STEP, 2)
    (step,) = await world.steps(route)
    assert (step["state"], step["text"]) == ("interrupted", "all of it")


async def test_a_worker_that_comes_to_an_interrupted_turn_ends_it(world: World) -> None:
    """It was killed, or not heard: whoever retries sees the interrupt in PostgreSQL."""
    route = await world.task()
    await world.send(route)
    await world.start(route, 1)
    await world.send(route, mode=SendMode.INTERRUPT)
    assert stands(await world.start(route, 1)) == (Then.STEP, 2, 0)
    assert [step["state"] for step in await world.steps(route)] == ["interrupted"]
    assert await states(world, route) == [("processed", 1), ("accepted", None)]


async def test_what_a_killed_worker_had_streamed_before_an_interrupt_is_kept(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.stream(route, 1, "void")
    await world.start(route, 1)
    await world.stream(route, 1, "some ", attempt=2)
    await world.stream(route, 1, "text", attempt=2)
    await world.send(route, mode=SendMode.INTERRUPT)
    assert stands(await world.start(route, 1)) == (Then.STEP, 2, 0)
    (step,) = await world.steps(route)
    assert (step["state"], step["text"]) == ("interrupted", "some text")
    completed, ended = (await world.log(route))[-2:]
    assert (completed.type, completed.data["text"], completed.data["interrupted"]) == (
        T.STEP_COMPLETED,
        "some text",
        True,
    )
    assert ended.type is T.TURN_ENDED


async def test_an_interrupt_between_two_steps_ends_the_turn(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, calls=[call("c")], refused=[])
    await world.send(route, mode=SendMode.INTERRUPT)
    assert stands(await world.start(route, 1, 1)) == (Then.STEP, 2, 0)
    assert [step["state"] for step in await world.steps(route)] == ["recorded"]


@pytest.mark.parametrize("state", [S.PENDING, S.WAITING, S.PAUSED, S.SUCCEEDED, S.FAILED, S.CANCELLED])
async def test_a_worker_that_comes_to_a_resting_task_finds_nothing_to_do(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    await world.execute("UPDATE tasks SET ring_at = now() WHERE tenant_id = $1")
    box, log = await world.box(route), await world.log(route)
    for turn, step in ((box.turn + 1, 0), (box.turn, 0), (box.turn, 3), (box.turn + 5, 0), (0, 0)):
        assert stands(await world.start(route, turn, step)) == (Then.REST, box.turn, 0)
    assert (await world.box(route), await world.log(route)) == (box, log)
    assert (await world.row(route))["ring_at"] is None, "the workflow has looked: nobody need ring"


async def test_a_worker_that_comes_late_is_told_where_the_task_stands(world: World) -> None:
    route = await world.task()
    for come in ((2, 0), (1, 1), (0, 0), (7, 2)):
        assert stands(await world.start(route, *come)) == (Then.STEP, 1, 0)
    await world.start(route, 1)
    for come in ((2, 0), (0, 0)):
        assert stands(await world.start(route, *come)) == (Then.STEP, 1, 0)
    await world.send(route)
    await world.record(route, 1)
    before = await world.row(route), await world.log(route)
    for late in (
        world.start(route, 1),
        world.start(route, 1, 1),
        world.record(route, 1),
        world.interrupted(route, 1),
        world.fail(route, 1),
    ):
        assert stands(await late) == (Then.STEP, 2, 0)
    assert (await world.row(route), await world.log(route)) == before


async def test_steps_of_a_task_that_is_not_there(world: World) -> None:
    route = replace(await world.task(), task_id=uuid4())
    for come in (world.start(route, 1), world.record(route, 1), world.interrupted(route, 1), world.fail(route, 1)):
        with pytest.raises(TaskNotFound):
            await come


async def test_tokens_are_kept(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    async with world.pool.transaction() as connection:
        answer = ModelReply("text", (), {}, Usage(11, 7))
        await steps.record_step(connection, key(route, 1), 1, answer, (), (), ())
    (step,) = await world.steps(route)
    assert (step["input_tokens"], step["output_tokens"]) == (11, 7)


async def test_deltas_of_many_tasks_are_one_statement(world: World) -> None:
    one, two = await world.plan((), ())
    await world.advance(one)
    before = len(await world.log(one))
    deltas = [
        Delta(one.task_id, 1, 1, 0, 1, "a"),
        Delta(two.task_id, 2, 1, 0, 1, "b"),
        Delta(one.task_id, 1, 1, 0, 1, "c"),
    ]
    async with world.pool.connection() as connection:
        assert await steps.append_deltas(connection, world.tenant, one.execution_id, deltas) == before + 3
    log: list[Event] = (await world.log(one))[before:]
    assert [(event.position, event.data["text"]) for event in log] == [(1, "a"), (2, "b"), (1, "c")]


async def test_the_transcript_is_what_was_recorded(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, text="asking", asks=[question("q")])
    await world.send(route, "the answer")
    await world.start(route, 2)
    await world.send(route, "not yet read")
    async with world.pool.connection() as connection:
        read = await transcripts.read(connection, world.tenant, route.task_id)
        with pytest.raises(TaskNotFound):
            await transcripts.read(connection, uuid4(), route.task_id)
    assert (read.title, read.description, read.agent.id) == ("task 1", "do it", world.agent.id)
    one, two = read.turns
    assert [(step.text, step.questions) for step in one.steps] == [("asking", (("call-q", "q"),))]
    assert [(message.text, message.answers) for message in two.messages] == [("the answer", ("q",))]
    assert two.steps == ()


@pytest.mark.parametrize("reasoning", [False, True])
async def test_what_an_attempt_has_shown_is_void_where_its_task_asks_instead(world: World, reasoning: bool) -> None:
    route = await world.task()
    await world.start(route, 1)
    shown = Delta(route.task_id, route.position, 1, 0, 1, "so far", reasoning)
    async with world.pool.transaction() as connection:
        await steps.append_deltas(connection, world.tenant, route.execution_id, [shown])
        asking = replace(question("limit"), call_id="baton:patience_seconds")
        await failures.ask_instead(connection, key(route, 1), 1, asking)
    types = [event.type for event in await world.log(route)]
    assert types.count(EventType.STEP_VOIDED) == 1
