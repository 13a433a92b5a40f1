"""What a message does, by the task's state and its own wishes: the whole matrix."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from baton.domain.conversation import Attachment
from baton.domain.errors import AnswerRefused, NotWaiting, Outdated, TaskBusy, TaskClosed, TaskNotFound
from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.domain.json import JsonObject
from baton.domain.messages import Draft
from baton.domain.states import ExecutionState, SendMode, TaskState
from baton.store import messages
from baton.store.messages import Unchecked
from tests.store.world import World, question
from tests.support.authors import author

S, M = TaskState, SendMode
INTEGER: JsonObject = {"type": "integer"}
#: What a sender may add
DRAFTS: list[dict[str, Any]] = [
    {},
    {"if_versions": (999,)},
    {"question": "q"},
    {"mode": M.REJECT},
    {"idempotency_key": "k"},
]

#: (state, a turn is under way) → the state after a message that was accepted
AFTER = {
    (S.PENDING, False): S.PENDING,
    (S.RUNNING, False): S.RUNNING,
    (S.RUNNING, True): S.RUNNING,
    (S.WAITING, False): S.RUNNING,
    (S.PAUSED, False): S.RUNNING,
    (S.SUCCEEDED, False): S.RUNNING,
    (S.FAILED, False): S.RUNNING,
    (S.CANCELLED, False): None,
}


@pytest.mark.parametrize("mode", [None, *SendMode])
@pytest.mark.parametrize(("state", "turn_open"), AFTER)
async def test_state_and_mode(world: World, state: TaskState, turn_open: bool, mode: SendMode | None) -> None:
    route = await world.in_state(state, turn_open=turn_open)
    before, row = await world.box(route), await world.row(route)
    log = await world.log(route)
    refused = TaskClosed if state is S.CANCELLED else TaskBusy if _is_busy(state, mode) else None

    if refused is not None:
        with pytest.raises(refused) as told:
            await world.send(route, mode=mode)
        assert told.value.state == state
        assert await world.row(route) == row
        assert await world.messages(route) == []
        assert await world.log(route) == log
        return

    receipt = await world.send(route, "hello", mode=mode)
    after, last = await world.box(route), (await world.log(route))[-1]
    interrupts = 1 if mode is M.INTERRUPT and turn_open else 0
    assert after.state is AFTER[state, turn_open]
    assert (after.accepted_seq, after.unclaimed) == (1, before.unclaimed + 1)
    assert after.version == before.version + 1
    assert (after.turn, after.turn_open) == (before.turn, before.turn_open)
    assert after.interrupt_turn == max(before.interrupt_turn, interrupts)
    assert after.questions == ()
    assert (receipt.seq, receipt.state, receipt.version) == (1, after.state, after.version)
    assert (receipt.turn, receipt.turn_open, receipt.interrupts) == (before.turn, turn_open, interrupts)
    assert receipt.reopened is (state in (S.SUCCEEDED, S.FAILED))
    assert receipt.rings is (after.state is S.RUNNING)
    assert receipt.replayed is False
    assert (receipt.task_id, receipt.execution_id) == (route.task_id, route.execution_id)
    assert datetime.now(UTC) - receipt.accepted_at < timedelta(minutes=1)

    (message,) = await world.messages(route)
    answers = ["q"] if state is S.WAITING else []
    assert (message["id"], message["seq"], message["state"], message["turn"]) == (
        receipt.message_id,
        1,
        "accepted",
        None,
    )
    assert (message["text"], message["sender"], message["origin"]) == ("hello", "somebody", "test")
    assert message["answers"] == answers

    assert (last.seq, last.type) == (receipt.event_seq, EventType.MESSAGE_ACCEPTED)
    assert (last.task_id, last.position) == (route.task_id, route.position)
    assert last.task_state == (None if after.state is state else after.state)
    assert last.data == {
        "message_id": str(receipt.message_id),
        "seq": 1,
        "text": "hello",
        "origin": "test",
        "sender": "somebody",
        "author": author().json(),
        "answers": answers,
        "decides": [],
        "queued": turn_open,
    }
    execution = await world.execution(route)
    was_running = state is S.RUNNING
    assert execution["state"] == (ExecutionState.PENDING if state is S.PENDING else ExecutionState.RUNNING)
    assert last.execution_state == (None if was_running or state is S.PENDING else ExecutionState.RUNNING)
    assert execution["completed_at"] is None


def _is_busy(state: TaskState, mode: SendMode | None) -> bool:
    return mode is M.REJECT and state in (S.PENDING, S.RUNNING)


@pytest.mark.parametrize("state", [s for s, _ in AFTER if s is not S.CANCELLED])
async def test_what_is_to_be_rung(world: World, state: TaskState) -> None:
    """The relay is told of what no worker will come to by itself, and of nothing else."""
    route = await world.in_state(state)
    await world.execute("UPDATE tasks SET ring_at = NULL WHERE tenant_id = $1")
    await world.execute("UPDATE executions SET ring_at = NULL WHERE tenant_id = $1")
    await world.send(route)
    rung, plan_rung = (await world.row(route))["ring_at"], (await world.execution(route))["ring_at"]
    assert (rung is not None) is (state is not S.PENDING)
    assert (plan_rung is not None) is (state in (S.SUCCEEDED, S.FAILED))


async def test_only_an_interrupt_rings_for_a_turn_under_way(world: World) -> None:
    route = await world.in_state(S.RUNNING, turn_open=True)
    await world.send(route)
    assert (await world.row(route))["ring_at"] is None, "the worker sees the message when the turn ends"
    await world.send(route, mode=M.INTERRUPT)
    assert (await world.row(route))["ring_at"] is not None


async def test_a_second_message_does_not_put_the_relay_off(world: World) -> None:
    route = await world.in_state(S.SUCCEEDED)
    await world.send(route)
    first = (await world.row(route))["ring_at"]
    await world.send(route)
    assert (await world.row(route))["ring_at"] == first


@pytest.mark.parametrize("mode", SendMode)
async def test_the_mode_is_the_messages_else_the_agents(world: World, mode: SendMode) -> None:
    agent = await world.new_agent(mode)
    route = await world.task(agent)
    await world.start(route, 1)
    if mode is M.REJECT:
        with pytest.raises(TaskBusy):
            await world.send(route)
    else:
        assert (await world.send(route)).interrupts == (1 if mode is M.INTERRUPT else 0)
    assert (await world.send(route, mode=M.QUEUE)).interrupts == 0
    assert (await world.send(route, mode=M.INTERRUPT)).interrupts == 1


async def _asking(world: World, *ids: str) -> TaskRoute:
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, asks=[question(id) for id in ids])
    return route


async def test_a_message_without_a_question_answers_all_that_are_open(world: World) -> None:
    route = await _asking(world, "a", "b")
    await world.send(route)
    assert (await world.box(route)).state is S.RUNNING
    assert (await world.messages(route))[0]["answers"] == ["a", "b"]


async def test_the_task_runs_when_no_question_is_open(world: World) -> None:
    route = await _asking(world, "a", "b")
    since = (await world.row(route))["waiting_since"]
    first = await world.send(route, question="b")
    assert (first.state, first.rings) == (S.WAITING, False)
    row = await world.row(route)
    assert (row["waiting_since"], row["ring_at"]) == (since, None)
    assert [one.id for one in (await world.box(route)).questions] == ["a"]
    second = await world.send(route, question="a")
    assert (second.state, second.rings) == (S.RUNNING, True)
    assert (await world.row(route))["waiting_since"] is None
    assert [message["answers"] for message in await world.messages(route)] == [["b"], ["a"]]
    await world.start(route, 2)
    assert [message["turn"] for message in await world.messages(route)] == [2, 2]


async def test_a_question_that_is_not_open_refuses_the_message(world: World) -> None:
    route = await _asking(world, "a", "b")
    await world.send(route, question="a")
    for wrong in ("a", "c", ""):
        with pytest.raises(Outdated) as told:
            await world.send(route, question=wrong)
        assert (told.value.version, told.value.questions) == ((await world.box(route)).version, ("b",))
    assert len(await world.messages(route)) == 1


@pytest.mark.parametrize("state", [s for s, _ in AFTER if s not in (S.WAITING, S.CANCELLED)])
async def test_no_question_is_open_where_none_was_asked(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    with pytest.raises(Outdated) as told:
        await world.send(route, question="q")
    assert told.value.questions == ()
    assert await world.messages(route) == []


@pytest.mark.parametrize(("state", "turn_open"), [key for key in AFTER if key[0] is not S.CANCELLED])
async def test_if_match(world: World, state: TaskState, turn_open: bool) -> None:
    route = await world.in_state(state, turn_open=turn_open)
    version = (await world.box(route)).version
    for seen in (version - 1, version + 1, 0):
        with pytest.raises(Outdated) as told:
            await world.send(route, if_versions=(seen,))
        assert told.value.version == version
    assert await world.messages(route) == []
    receipt = await world.send(route, if_versions=(version,))
    assert receipt.version == version + 1
    with pytest.raises(Outdated):
        await world.send(route, if_versions=(version,))


async def test_a_cancelled_task_says_so_whatever_else_is_wrong(world: World) -> None:
    route = await world.in_state(S.CANCELLED)
    for draft in DRAFTS:
        with pytest.raises(TaskClosed):
            await world.send(route, **draft)


async def test_streamed_text_leaves_the_version_alone(world: World) -> None:
    route = await world.in_state(S.RUNNING, turn_open=True)
    version = (await world.box(route)).version
    await world.stream(route, 1, "some")
    await world.send(route, if_versions=(version,))


async def test_an_answer_is_checked_against_its_questions_schema(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, asks=[question("number", INTEGER), question("free")])
    before, log = await world.row(route), await world.log(route)
    with pytest.raises(AnswerRefused) as told:
        await world.send(route, "many", question="number")
    assert told.value.problems == ('answer: "many" is not of type "integer"',)
    with pytest.raises(AnswerRefused):
        await world.send(route, "many")
    assert (await world.row(route), await world.log(route)) == (before, log)
    assert (await world.send(route, "many", question="free")).state is S.WAITING
    assert (await world.send(route, "3", question="number")).state is S.RUNNING


async def test_an_answer_is_checked_against_the_question_that_is_open_when_it_is_stored(world: World) -> None:
    """Between check and commit the question may be another: the version tells."""
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, asks=[question("number", INTEGER)])
    async with world.pool.connection() as connection:
        unchecked = await messages.send_message(connection, route, Draft("3", "test"), author(), relay_seconds=60)
        assert isinstance(unchecked, Unchecked)
        assert [one.id for one in unchecked.questions] == ["number"]
        await world.send(route, "2")
        await world.start(route, 2)
        await world.record(route, 2, asks=[question("text", {"type": "string", "minLength": 20})])
        again = await messages.send_message(
            connection, route, Draft("3", "test"), author(), relay_seconds=60, checked_version=unchecked.version
        )
        assert isinstance(again, Unchecked)
        assert [one.id for one in again.questions] == ["text"]
    with pytest.raises(AnswerRefused):
        await world.send(route, "3")


async def test_a_schema_counts_for_an_answer_to_a_task_that_runs_on(world: World) -> None:
    """A message came in between: the task runs on with its question open, which can be answered by its id."""
    route = await world.task()
    await world.start(route, 1)
    await world.send(route, "in between")
    await world.record(route, 1, asks=[question("number", INTEGER)])
    assert (await world.box(route)).state is S.RUNNING
    with pytest.raises(AnswerRefused):
        await world.send(route, "many", question="number")
    await world.send(route, "3", question="number")
    assert (await world.box(route)).questions == ()
    assert [message["answers"] for message in await world.messages(route)] == [[], ["number"]]


async def test_unknown_tasks_and_those_of_others_are_told_apart_nowhere(world: World) -> None:
    mine = await world.in_state(S.WAITING)
    other_task = await world.in_state(S.WAITING)
    async with World.open(world.dsn, connections=2) as other:
        theirs = await other.in_state(S.WAITING)
    wrong = [
        replace(mine, tenant_id=theirs.tenant_id),
        replace(mine, execution_id=theirs.execution_id),
        replace(mine, execution_id=other_task.execution_id),
        replace(mine, execution_id=uuid4()),
        replace(mine, task_id=uuid4()),
        replace(mine, task_id=theirs.task_id),
        replace(theirs, tenant_id=mine.tenant_id),
    ]
    said: set[str] = set()
    for route, draft in product(wrong, DRAFTS):
        with pytest.raises(TaskNotFound) as told:
            await world.send(route, **draft)
        said.add(told.value.message)
    assert len(said) == 1
    assert await world.messages(mine) == []


async def test_all_that_came_with_a_message_is_kept(world: World) -> None:
    route = await world.in_state(S.WAITING)
    async with world.pool.connection() as connection:
        draft = Draft(
            "Grüße 🎈\n\ttab",
            "kubiya",
            attachments=(Attachment("a.txt", "text/plain", "data:,x"), Attachment("b", "image/png", "https://x/y")),
            metadata={"deep": [{"n": 2**53, "ü": None}]},
        )
        await messages.accept(connection, route, draft, author("ann"), relay_seconds=60)
    (message,) = await world.messages(route)
    assert (message["text"], message["origin"], message["sender"]) == ("Grüße 🎈\n\ttab", "kubiya", "ann")
    assert message["attachments"] == [
        {"filename": "a.txt", "media_type": "text/plain", "url": "data:,x"},
        {"filename": "b", "media_type": "image/png", "url": "https://x/y"},
    ]
    assert message["metadata"] == {"deep": [{"n": 2**53, "ü": None}]}


@pytest.mark.parametrize("state", S)
async def test_a_message_that_only_answers(world: World, state: TaskState) -> None:
    """Whether the task waits is decided in the statement that stores; a repeat gives the first receipt."""
    route = await world.in_state(state)
    if state is S.WAITING:
        first = await world.send(route, "an answer", only_if_waiting=True, idempotency_key="k")
        assert first.state is S.RUNNING
        again = await world.send(route, "an answer", only_if_waiting=True, idempotency_key="k")
        assert again == replace(first, replayed=True, event_seq=0, was=None)
        return
    before = await world.row(route)
    with pytest.raises(NotWaiting) as told:
        await world.send(route, "an answer", only_if_waiting=True)
    assert told.value.state == state
    assert await world.row(route) == before
