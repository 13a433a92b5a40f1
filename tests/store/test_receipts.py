"""Editing, withdrawing and redriving: what a person decides, and a turn that may be faster."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from baton.domain.conversation import Attachment
from baton.domain.errors import AnswerRefused, KeyReused, MessageNotFound, MessageTaken, Outdated, TaskClosed
from baton.domain.events import EventType
from baton.domain.events.parts import WaitingTask
from baton.domain.ids import TaskById, TaskRoute, whole_tenant
from baton.domain.json import JsonObject
from baton.domain.mailbox import Standing
from baton.domain.messages import Edit, Receipt
from baton.domain.states import MessageState, SendMode, TaskState
from baton.store import message_views, questions, receipts, rings, routes, transcripts
from baton.store.receipts import Changed
from baton.store.rings import RingPace
from baton.store.steps import StepAttempt
from tests.store.races import Race
from tests.store.test_steps import stands, started
from tests.store.world import World, call, items, question
from tests.support.authors import author

S, T, M = TaskState, EventType, MessageState


async def withdraw(world: World, sent: Receipt, if_versions: tuple[int, ...] | None = None) -> Changed:
    route = await route_of(world, sent)
    async with world.pool.transaction() as connection:
        return await receipts.withdraw_message(connection, route, sent.message_id, if_versions)


async def edit(
    world: World,
    sent: Receipt,
    text: str | None = None,
    attachments: tuple[Attachment, ...] | None = None,
    if_versions: tuple[int, ...] | None = None,
    refusal: AnswerRefused | None = None,
) -> Changed:
    route, change = await route_of(world, sent), Edit(text, attachments)
    async with world.pool.transaction() as connection:
        return await receipts.edit_message(connection, route, sent.message_id, change, if_versions, refusal)


async def redrive(world: World, sent: Receipt, if_versions: tuple[int, ...] | None = None) -> Changed:
    route = await route_of(world, sent)
    async with world.pool.transaction() as connection:
        return await receipts.redrive_message(connection, route, sent.message_id, if_versions)


async def route_of(world: World, sent: Receipt) -> TaskRoute:
    async with world.pool.connection() as connection:
        return await routes.route(connection, whole_tenant(world.tenant), TaskById(sent.task_id))


async def message(world: World, sent: Receipt) -> asyncpg.Record:
    (row,) = await world.rows("SELECT * FROM messages WHERE tenant_id = $1 AND id = $2", sent.message_id)
    return row


async def waiting(world: World, *asks: str, schema: JsonObject | None = None) -> TaskRoute:
    """A single task that waits with these questions, after its first turn."""
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, asks=[question(id, schema) for id in asks])
    return route


async def is_consistent(world: World, route: TaskRoute) -> None:
    """The task's row fits its messages, and the log its row; with nothing unclaimed it rests where it is."""
    row, box = await world.row(route), await world.box(route)
    accepted = [one for one in await world.messages(route) if one["state"] == "accepted"]
    assert row["unclaimed"] == len(accepted)
    if not accepted:
        assert (box.rest.state, box.rest.questions) == (box.state, box.questions)
    assert (row["waiting_since"] is not None) == (box.state is S.WAITING)
    assert (row["completed_at"] is not None) == box.state.is_over
    assert (row["error_code"] is not None) == (box.state is S.FAILED)
    assert row["answers_ruled"] == any(one.schema for one in box.questions)
    log = await world.log(route)
    states = [event.task_state for event in log if event.task_state and event.task_id == route.task_id]
    assert (states[-1] if states else S.PENDING) is box.state
    executions = [event.execution_state for event in log if event.execution_state]
    assert executions[-1] == (await world.execution(route))["state"]


# -- withdrawing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.PENDING, S.RUNNING, S.WAITING, S.PAUSED, S.SUCCEEDED, S.FAILED])
async def test_the_task_is_as_if_the_message_had_never_been_sent(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    before, box = dict(await world.row(route)), await world.box(route)
    execution = (await world.execution(route))["state"]
    sent = await world.send(route)
    done = await withdraw(world, sent)
    after = dict(await world.row(route))
    assert done.changed
    assert done.box == await world.box(route) == replace(box, version=box.version + 2, accepted_seq=1)
    changed = {"version", "accepted_seq", "updated_at", "ring_at", "rested_since"}
    assert {name: after[name] for name in after if name not in changed} == {
        name: before[name] for name in before if name not in changed
    }
    assert (await world.execution(route))["state"] == execution
    row = await message(world, sent)
    assert (row["state"], row["turn"], row["reason"]) == ("withdrawn", None, None)
    assert row["ended_at"] > row["accepted_at"]
    event = (await world.log(route))[-1]
    assert (event.type, event.seq) == (T.MESSAGE_WITHDRAWN, done.event_seq)
    assert (event.data["message_id"], event.data["seq"]) == (str(sent.message_id), 1)
    assert event.task_state is (None if sent.state is state else state)
    await is_consistent(world, route)


async def test_a_doorbell_that_was_rung_for_it_leads_to_no_turn(world: World) -> None:
    route = await world.in_state(S.WAITING)
    sent = await world.send(route)
    await withdraw(world, sent)
    found = await world.start(route, 2)
    assert isinstance(found, Standing)
    assert (found.box.state, found.turn, found.box.turn) == (S.WAITING, 1, 1)
    assert (await world.row(route))["ring_at"] is None, "it was heard"
    assert T.TURN_STARTED not in [event.type for event in (await world.log(route))[-3:]]


async def test_again_changes_nothing(world: World) -> None:
    route = await world.in_state(S.WAITING)
    sent = await world.send(route)
    first = await withdraw(world, sent)
    log = await world.log(route)
    again = await withdraw(world, sent, if_versions=(1,))
    assert (again.changed, again.box, again.rings) == (False, first.box, False)
    assert await world.log(route) == log


async def test_it_is_not_read_and_the_others_are(world: World) -> None:
    route = await world.task()
    sent = [await world.send(route, f"m{n}") for n in range(4)]
    await withdraw(world, sent[0])
    await withdraw(world, sent[2])
    assert (await world.box(route)).unclaimed == 2
    await world.start(route, 1)
    assert [one["state"] for one in await world.messages(route)] == ["withdrawn", "claimed", "withdrawn", "claimed"]
    async with world.pool.connection() as connection:
        transcript = await transcripts.read(connection, world.tenant, route.task_id)
    assert [read.text for read in transcript.turns[0].messages] == ["m1", "m3"]
    begun = next(event for event in await world.log(route) if event.type is T.TURN_STARTED)
    assert begun.data["messages"] == [
        {"message_id": str(sent[1].message_id), "seq": 2}, {"message_id": str(sent[3].message_id), "seq": 4}
    ]  # fmt: skip


async def test_its_number_is_not_given_again(world: World) -> None:
    route = await world.task()
    await withdraw(world, await world.send(route))
    assert (await world.send(route)).seq == 2


async def test_a_key_gives_the_receipt_of_what_was_withdrawn(world: World) -> None:
    route = await world.in_state(S.WAITING)
    sent = await world.send(route, "yes", idempotency_key="k")
    await withdraw(world, sent)
    again = await world.send(route, "yes", idempotency_key="k")
    assert again.replayed
    assert (again.message_id, again.seq, again.state, again.version) == (sent.message_id, 1, S.RUNNING, sent.version)
    assert (await world.box(route)).state is S.WAITING


async def test_an_answer_is_asked_again_with_its_rule_and_since_when(world: World) -> None:
    route = await waiting(world, "q", schema={"type": "integer"})
    before = await world.row(route)
    sent = await world.send(route, "7")
    assert not (await world.row(route))["answers_ruled"]
    done = await withdraw(world, sent)
    after = await world.row(route)
    assert (after["open_questions"], after["answers_ruled"]) == (before["open_questions"], True)
    assert after["waiting_since"] == before["waiting_since"]
    assert (after["timer_at"], done.rings) == (before["timer_at"], True)
    event = (await world.log(route))[-1]
    assert event.data["open_questions"] == ["q"]
    assert (event.task_state, event.execution_state) == (S.WAITING, "waiting")
    waits = WaitingTask(
        task_id=route.task_id, position=1, question="q?", waiting_since=before["waiting_since"], consent=False
    )
    assert await world.waited_after(event) == ((waits,), ())
    with pytest.raises(AnswerRefused):
        await world.send(route, "seven")
    await world.send(route, "7")
    assert (await world.box(route)).state is S.RUNNING
    await is_consistent(world, route)


async def test_one_of_several_answers(world: World) -> None:
    route = await waiting(world, "q", "r")
    q, r = await world.send(route, question="q"), await world.send(route, question="r")
    assert r.state is S.RUNNING
    done = await withdraw(world, r)
    assert (done.box.state, [one.id for one in done.box.questions], done.box.unclaimed) == (S.WAITING, ["r"], 1)
    await is_consistent(world, route)
    done = await withdraw(world, q)
    assert (done.box.state, [one.id for one in done.box.questions]) == (S.WAITING, ["q", "r"])
    await is_consistent(world, route)


async def test_not_where_a_later_message_waits(world: World) -> None:
    route = await waiting(world, "q")
    answer, later = await world.send(route), await world.send(route)
    on = await withdraw(world, answer)
    assert (on.box.state, on.box.questions, on.box.unclaimed, on.rings) == (S.RUNNING, (), 1, False)
    back = await withdraw(world, later)
    assert (back.box.state, [one.id for one in back.box.questions]) == (S.WAITING, ["q"])
    await is_consistent(world, route)


async def test_the_agent_is_told_what_is_open_still_and_what_is_not(world: World) -> None:
    route = await waiting(world, "q", "r")
    answer = await world.send(route, question="q")
    await world.pause(route)
    await world.send(route, "go on without it")
    await withdraw(world, answer)
    await world.start(route, 2)
    assert [one.id for one in (await world.box(route)).questions] == ["r"]
    assert await closed(world, route) == {"q"}
    await world.send(route, "late", question="r")
    assert await closed(world, route) == {"q"}, "an answer to the other one waits for the next turn"
    await world.record(route, 2)
    await world.start(route, 3)
    assert await closed(world, route) == {"q"}


async def closed(world: World, route: TaskRoute) -> set[str]:
    async with world.pool.connection() as connection:
        return set((await transcripts.read(connection, world.tenant, route.task_id)).closed)


async def test_an_answer_of_a_paused_task(world: World) -> None:
    """The pause had forgotten what unclaimed messages had answered."""
    route = await waiting(world, "q", "r")
    sent = await world.send(route, question="q")
    await world.pause(route)
    done = await withdraw(world, sent)
    assert (done.box.state, [one.id for one in done.box.questions]) == (S.PAUSED, ["q", "r"])
    await world.resume(route)
    assert [one.id for one in (await world.box(route)).questions] == ["q", "r"]
    await is_consistent(world, route)


async def test_a_task_that_somebody_resumed_runs_on(world: World) -> None:
    route = await world.in_state(S.PAUSED)
    await world.resume(route)
    sent = await world.send(route)
    assert (await withdraw(world, sent)).box.state is S.RUNNING
    started(await world.start(route, 2))


async def test_a_message_that_resumed_a_task_while_its_turn_was_stopping(world: World) -> None:
    route = await world.in_state(S.RUNNING, turn_open=True)
    queued = await world.send(route)
    await world.pause(route)
    resuming = await world.send(route)
    assert resuming.state is S.RUNNING
    done = await withdraw(world, resuming)
    assert (done.box.state, done.box.turn_open, done.box.unclaimed) == (S.PAUSED, True, 1)
    assert stands(await world.interrupted(route, 1))[0].name == "REST"
    assert (await message(world, queued))["state"] == "accepted"
    await is_consistent(world, route)


@pytest.mark.parametrize("ends", ["succeeded", "failed", "waiting"])
async def test_a_turn_that_ended_over_it_has_ended_so_after_all(world: World, ends: str) -> None:
    route = (await world.plan((), (1,)))[0]
    await world.advance(route)
    await world.start(route, 1)
    sent = await world.send(route)
    if ends == "failed":
        await world.fail(route, 1)
    else:
        await world.record(route, 1, text="the result", asks=[question("q")] if ends == "waiting" else [])
    ended = await world.row(route)
    assert (ended["state"], ended["error_code"], ended["completed_at"]) == ("running", None, None)
    done = await withdraw(world, sent)
    row, event = await world.row(route), (await world.log(route))[-1]
    assert (row["state"], event.task_state, event.type) == (ends, ends, T.MESSAGE_WITHDRAWN)
    assert done.rings_plan == (ends != "waiting")
    if ends == "succeeded":
        assert (row["result"], event.data["result"]) == ("the result", "the result")
    if ends == "failed":
        assert (row["error_code"], event.data["error"]) == ("model_broken", "model_broken")
    if ends != "waiting":
        assert row["completed_at"] == ended["rested_since"], "it was over when the turn was"
        assert (await world.execution(route))["ring_at"] is not None
    await is_consistent(world, route)


async def test_a_plan_looks_again_when_a_reopened_task_is_over_after_all(world: World) -> None:
    first, second = await world.plan((), (1,))
    await world.advance(first)
    await world.start(first, 1)
    await world.fail(first, 1)
    await world.advance(first)
    assert (await world.box(second)).state is S.FAILED
    sent = await world.send(first)
    await world.advance(first)
    assert (await world.box(second)).state is S.PENDING
    await withdraw(world, sent)
    await is_consistent(world, first)
    await world.advance(first)
    row = await world.row(second)
    assert (row["state"], row["error_code"]) == ("failed", "dependency_failed")
    assert (await world.execution(first))["state"] == "failed"


async def test_a_task_that_failed_for_its_dependency_has_failed_for_it_again(world: World) -> None:
    first, second = await world.plan((), (1,))
    await world.advance(first)
    await world.start(first, 1)
    await world.fail(first, 1)
    await world.advance(first)
    sent = await world.send(second)
    assert sent.reopened
    await withdraw(world, sent)
    row = await world.row(second)
    assert (row["state"], row["error_code"]) == ("failed", "dependency_failed")


async def test_what_a_turn_has_read_cannot_be_withdrawn(world: World) -> None:
    route = await world.task()
    sent = await world.send(route)
    await world.start(route, 1)
    for state, turn in (("claimed", 1), ("processed", 1)):
        before = await world.row(route), await world.log(route)
        for do in (withdraw(world, sent, (1,)), edit(world, sent, "other", if_versions=(1,))):
            with pytest.raises(MessageTaken) as told:
                await do
            assert (told.value.state, told.value.turn) == (state, turn)
            assert state in told.value.message
        assert (await world.row(route), await world.log(route)) == before
        if state == "claimed":
            await world.record(route, 1)
    other = await world.in_state(S.PENDING)
    unread = await world.send(other)
    await world.cancel(other)
    with pytest.raises(MessageTaken) as told:
        await withdraw(world, unread)
    assert (told.value.state, told.value.turn) == ("dead", None)


async def test_if_versions(world: World) -> None:
    route = await waiting(world, "q")
    sent = await world.send(route)
    await world.send(route)
    version = (await world.box(route)).version
    for do in (withdraw(world, sent, (version - 1,)), edit(world, sent, "other", if_versions=(version - 1,))):
        with pytest.raises(Outdated) as told:
            await do
        assert (told.value.version, told.value.questions) == (version, ())
    assert (await edit(world, sent, "other", if_versions=(version,))).box.version == version + 1
    assert (await withdraw(world, sent, (version, version + 1))).box.version == version + 2


async def test_a_ring_that_is_due_stays_due(world: World) -> None:
    """Nobody else rings for what is still unread, or for a turn that is to stop."""
    route = await world.in_state(S.WAITING)
    first, second = await world.send(route), await world.send(route)
    due = (await world.row(route))["ring_at"]
    assert due is not None
    await edit(world, first, "other")
    await withdraw(world, second)
    assert (await world.row(route))["ring_at"] == due
    await world.execute("UPDATE tasks SET ring_at = now() WHERE tenant_id = $1")
    async with world.pool.connection() as connection:
        assert route.task_id in [one.task_id for one in await rings.due_tasks(connection, RingPace(1000, 1000, 3, 300))]
    assert (await world.start(route, 2)) == StepAttempt(1, 0, (await world.log(route))[-1].seq, 1)


async def test_a_default_that_is_taken_back_is_not_given_again(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    asked = replace(question("q"), deadline_at="2026-01-01T00:00:01+00:00", default="no")
    await world.record(route, 1, asks=[asked])
    async with world.pool.transaction() as connection:
        await questions.tick(connection, route)
    (row,) = await world.messages(route)
    assert (row["origin"], row["text"]) == ("deadline", "no")
    async with world.pool.transaction() as connection:
        await receipts.withdraw_message(connection, route, row["id"])
    assert [(one.id, one.deadline_at) for one in (await world.box(route)).questions] == [("q", "")]
    async with world.pool.transaction() as connection:
        assert (await questions.tick(connection, route)).box.state is S.WAITING
    sent = await world.send(route, "yes")
    await withdraw(world, sent)
    async with world.pool.transaction() as connection:
        assert (await questions.tick(connection, route)).box.state is S.WAITING
    await is_consistent(world, route)


async def test_a_reminder_that_was_given_is_not_given_again(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, asks=[replace(question("q"), remind_at="2026-01-01T00:00:01+00:00")])
    for reminded in (1, 1):
        async with world.pool.transaction() as connection:
            await questions.tick(connection, route)
        assert [event.type for event in await world.log(route)].count(T.QUESTION_REMINDED) == reminded
        await withdraw(world, await world.send(route))
    assert (await world.row(route))["timer_at"] is None


async def test_a_message_of_nobody(world: World) -> None:
    route = await world.task()
    sent = replace(await world.send(route), message_id=uuid4())
    for do in (withdraw(world, sent), edit(world, sent, "x"), redrive(world, sent)):
        with pytest.raises(MessageNotFound):
            await do
    async with world.pool.connection() as connection:
        with pytest.raises(MessageNotFound):
            await receipts.home(connection, whole_tenant(uuid4()), (await world.send(route)).message_id)


# -- editing ----------------------------------------------------------------------------------------------------------


async def test_an_edit(world: World) -> None:
    route = await waiting(world, "q")
    files = (Attachment("a.png", "image/png", "https://example.org/a.png"),)
    sent = await world.send(route, "yes", attachments=files, idempotency_key="k")
    before, box = await message(world, sent), await world.box(route)
    done = await edit(world, sent, "no")
    after = await message(world, sent)
    assert done.box == await world.box(route) == replace(box, version=box.version + 1)
    assert [name for name, value in after.items() if value != before[name]] == ["text"]
    event = (await world.log(route))[-1]
    assert (event.type, event.data) == (T.MESSAGE_EDITED, {"message_id": str(sent.message_id), "seq": 1, "text": "no"})
    await edit(world, sent, attachments=())
    assert ((await message(world, sent))["attachments"], (await message(world, sent))["text"]) == ([], "no")
    again = await world.send(route, "yes", attachments=files, idempotency_key="k")
    assert (again.replayed, again.message_id) == (True, sent.message_id), "the key stands for what was sent"
    with pytest.raises(KeyReused):
        await world.send(route, "no", idempotency_key="k")
    await world.start(route, 2)
    async with world.pool.connection() as connection:
        transcript = await transcripts.read(connection, world.tenant, route.task_id)
    (read,) = transcript.turns[1].messages
    assert (read.text, read.answers, read.attachments) == ("no", ("q",), ())


async def test_what_reads_so_already_is_left_as_it_is(world: World) -> None:
    """So that an edit may be repeated, also after a turn has taken the message."""
    route = await world.task()
    sent = await world.send(route)
    await edit(world, sent, "other")
    log = await world.log(route)
    assert not (await edit(world, sent, "other", if_versions=(1,))).changed
    await world.start(route, 1)
    assert not (await edit(world, sent, "other", ())).changed
    assert len(await world.log(route)) == len(log) + 2
    with pytest.raises(MessageTaken):
        await edit(world, sent, "another")


async def test_a_refused_edit_changes_nothing_and_too_late_is_said_first(world: World) -> None:
    route = await waiting(world, "q", schema={"type": "integer"})
    sent = await world.send(route, "7")
    async with world.pool.connection() as connection:
        (asked,) = await receipts.answered(connection, world.tenant, sent.message_id)
    assert (asked.id, asked.schema) == ("q", {"type": "integer"})
    before = await world.row(route), await world.log(route), await message(world, sent)
    refusal = AnswerRefused("no", ("not a number",))
    with pytest.raises(AnswerRefused):
        await edit(world, sent, "seven", refusal=refusal)
    assert (await world.row(route), await world.log(route), await message(world, sent)) == before
    await world.start(route, 2)
    with pytest.raises(MessageTaken):
        await edit(world, sent, "seven", refusal=refusal)
    async with world.pool.connection() as connection:
        assert [one.id for one in await receipts.answered(connection, world.tenant, sent.message_id)] == ["q"]


# -- redriving --------------------------------------------------------------------------------------------------------


async def failed(world: World, *texts: str, **draft: Any) -> tuple[TaskRoute, list[Receipt]]:
    """A task whose first turn failed for good over these messages."""
    route = await world.task()
    sent = [await world.send(route, text, **draft) for text in texts]
    await world.start(route, 1)
    await world.fail(route, 1)
    return route, sent


async def test_a_dead_message_is_read_by_the_next_turn(world: World) -> None:
    route, (one, two) = await failed(world, "one", "two")
    before = await message(world, one)
    assert (before["state"], before["turn"], before["reason"]) == ("dead", 1, "model_broken")
    done = await redrive(world, one)
    after, row = await message(world, one), await world.row(route)
    assert (done.changed, done.rings, done.rings_plan, done.box.state) == (True, True, False, S.RUNNING)
    assert (after["state"], after["seq"], after["turn"], after["reason"]) == ("accepted", 3, None, None)
    assert (after["claimed_at"], after["ended_at"], after["accepted_at"]) == (None, None, before["accepted_at"])
    assert (row["state"], row["unclaimed"], row["accepted_seq"], row["error_code"]) == ("running", 1, 3, None)
    assert (row["ring_at"] is not None, row["completed_at"]) == (True, None)
    event = (await world.log(route))[-1]
    assert (event.type, event.task_state, event.execution_state) == (T.MESSAGE_REDRIVEN, S.RUNNING, "running")
    assert event.data == {
        "message_id": str(one.message_id),
        "seq": 3,
        "was_seq": 1,
        "text": "one",
        "origin": "test",
        "sender": "somebody",
        "author": author().json(),
        "answers": [],
        "decides": [],
        "queued": False,
    }
    await redrive(world, two)
    await is_consistent(world, route)
    await world.start(route, 2)
    await world.record(route, 2)
    states = [(one["text"], one["seq"], one["state"], one["turn"]) for one in await world.messages(route)]
    assert states == [("one", 3, "processed", 2), ("two", 4, "processed", 2)]
    assert (await world.send(route)).seq == 5


async def test_one_that_is_not_dead_stays_as_it_is(world: World) -> None:
    route, (sent,) = await failed(world, "one")
    await redrive(world, sent)
    for state in ("accepted", "claimed", "processed"):
        log = await world.log(route)
        assert not (await redrive(world, sent, if_versions=(1,))).changed
        assert ((await message(world, sent))["state"], await world.log(route)) == (state, log)
        if state == "accepted":
            await world.start(route, 2)
        else:
            await world.record(route, 2)
    gone = await world.send(route)
    await withdraw(world, gone)
    assert not (await redrive(world, gone)).changed
    assert (await message(world, gone))["state"] == "withdrawn"


async def test_a_cancelled_tasks_messages_stay_dead(world: World) -> None:
    route = await world.task()
    sent = await world.send(route)
    await world.cancel(route)
    before = await world.row(route), await world.log(route)
    with pytest.raises(TaskClosed):
        await redrive(world, sent)
    assert (await world.row(route), await world.log(route)) == before
    assert (await message(world, sent))["state"] == "dead"


async def test_redriving_with_a_version(world: World) -> None:
    route, (sent,) = await failed(world, "one")
    version = (await world.box(route)).version
    with pytest.raises(Outdated):
        await redrive(world, sent, (version - 1,))
    assert (await redrive(world, sent, (version,))).changed


async def test_a_key_gives_the_receipt_as_it_was_then(world: World) -> None:
    route, (sent,) = await failed(world, "one", idempotency_key="k")
    await redrive(world, sent)
    await world.start(route, 2)
    await world.fail(route, 2)
    await redrive(world, sent)
    again = await world.send(route, "one", idempotency_key="k")
    assert (again.replayed, again.message_id, again.seq) == (True, sent.message_id, 1)
    assert (again.state, again.version, again.accepted_at) == (sent.state, sent.version, sent.accepted_at)
    assert ((await message(world, sent))["seq"], (await message(world, sent))["failed_turns"]) == (3, [1, 2])


async def test_a_task_that_waits_reads_it_and_waits_on(world: World) -> None:
    """It was sent before the question was asked: it cannot be its answer."""
    route, (sent,) = await failed(world, "one")
    await world.send(route)
    await world.start(route, 2)
    await world.record(route, 2, asks=[question("q")])
    done = await redrive(world, sent)
    assert (done.box.state, [one.id for one in done.box.questions]) == (S.RUNNING, ["q"])
    assert (await message(world, sent))["answers"] == []
    await is_consistent(world, route)
    await world.start(route, 3)
    await world.record(route, 3)
    assert (await world.box(route)).state is S.WAITING


async def test_a_task_at_work_reads_it_after_its_turn(world: World) -> None:
    route, (sent,) = await failed(world, "one")
    await world.send(route)
    await world.start(route, 2)
    done = await redrive(world, sent)
    assert (done.rings, done.box.turn_open, done.box.unclaimed) == (True, True, 1)
    assert (await world.row(route))["ring_at"] is None
    assert stands(await world.record(route, 2))[1:] == (3, 0)


async def test_a_redriven_message_can_be_withdrawn(world: World) -> None:
    route, (sent,) = await failed(world, "one")
    before = await world.row(route)
    await redrive(world, sent)
    await withdraw(world, sent)
    after = await world.row(route)
    for name in ("state", "error_code", "completed_at", "result", "unclaimed"):
        assert after[name] == before[name]
    await is_consistent(world, route)


async def test_one_that_died_with_its_dependency(world: World) -> None:
    first, second = await world.plan((), (1,))
    await world.advance(first)
    sent = await world.send(second, "unread")
    await world.start(first, 1)
    await world.fail(first, 1)
    await world.advance(first)
    assert (await message(world, sent))["reason"] == "dependency_failed"
    done = await redrive(world, sent)
    assert (done.box.state, done.rings_plan, (await message(world, sent))["failed_turns"]) == (S.RUNNING, True, [])
    assert (await world.execution(first))["ring_at"] is not None
    await is_consistent(world, second)


async def test_a_pending_task_reads_it_when_it_starts(world: World) -> None:
    first, second = await world.plan((), (1,))
    await world.advance(first)
    sent = await world.send(second, "unread")
    await world.start(first, 1)
    await world.fail(first, 1)
    await world.advance(first)
    await world.send(first)
    await world.advance(first)
    done = await redrive(world, sent)
    assert (done.box.state, done.box.unclaimed, done.rings) == (S.PENDING, 1, False)
    await is_consistent(world, second)


async def test_where_a_redriven_message_stands_in_the_transcript(world: World) -> None:
    async def read() -> list[tuple[int, list[str], list[str]]]:
        async with world.pool.connection() as connection:
            transcript = await transcripts.read(connection, world.tenant, route.task_id)
        return [
            (turn.number, [message.text for message in turn.messages], [step.state.value for step in turn.steps])
            for turn in transcript.turns
        ]

    route, (first,) = await failed(world, "first")
    one, two = await world.send(route, "one"), await world.send(route, "two")
    await world.start(route, 2)
    await world.fail(route, 2)
    assert await read() == [(1, ["first"], ["failed"]), (2, ["one", "two"], ["failed"])]
    await redrive(world, one)
    assert (await read())[1] == (2, ["two"], ["failed"]), "it is read where it comes last"
    await redrive(world, two)
    await redrive(world, first)
    await world.start(route, 3)
    assert await read() == [(1, [], ["failed"]), (3, ["one", "two", "first"], [])], "nothing is left of the second"
    await world.record(route, 3, calls=[call("c")])
    await world.fail(route, 3)
    await redrive(world, one)
    await world.start(route, 4)
    await world.record(route, 4)
    told = (await read())[1:]
    assert [turn for turn, _, _ in told] == [3, 4]
    assert sorted(told[0][1]) == ["first", "one", "two"], "the model had answered it there"
    assert told[1] == (4, ["one"], ["recorded"])


async def test_the_dead_are_listed_oldest_end_first(world: World) -> None:
    dead: list[Receipt] = []
    for n in range(3):
        _, sent = await failed(world, f"{n}a", f"{n}b")
        dead += sent
    await world.send(await world.task())
    async with world.pool.connection() as connection:
        listed = await message_views.dead(connection, whole_tenant(world.tenant), limit=100)
        ends = [one.ended_at for one in listed if one.ended_at is not None]
        assert len(ends) == len(listed)
        assert {one.id for one in listed} == {one.message_id for one in dead}
        assert ends == sorted(ends)
        rest = await message_views.dead(connection, whole_tenant(world.tenant), limit=3, after=(ends[1], listed[1].id))
        assert rest == listed[2:5]
        route = dead[0].task_id
        assert len(await message_views.page(connection, world.tenant, route, after=0, limit=9, states=[M.DEAD])) == 2
        assert await message_views.page(connection, world.tenant, route, after=0, limit=9, states=[M.ACCEPTED]) == []
        assert await message_views.dead(connection, whole_tenant(uuid4()), limit=100) == []


# -- who is faster ----------------------------------------------------------------------------------------------------


async def told(come: Awaitable[object]) -> str:
    """How an attempt went: nothing to say, or that it was too late."""
    try:
        await come
    except MessageTaken as error:
        return error.state
    return ""


async def test_a_withdrawal_waits_for_a_turn_that_is_being_begun(world: World) -> None:
    """And decides by what it finds then, not by what it saw before."""
    route = await world.in_state(S.WAITING)
    sent = await world.send(route)
    async with world.pool.transaction() as connection:
        await connection.execute("SELECT 1 FROM executions WHERE id = $1 FOR UPDATE", route.execution_id)
        begun = asyncio.create_task(world.start(route, 2))
        await world.blocked(1)
        late = asyncio.create_task(told(withdraw(world, sent)))
        await world.blocked(2)
    assert isinstance(await begun, StepAttempt)
    assert await late == "claimed"
    assert (await world.box(route)).turn_open


@pytest.mark.parametrize("act", ["withdraw", "edit"])
async def test_exactly_one_of_a_turn_and_a_change_of_mind_wins(world: World, act: str) -> None:
    race = Race("the sender", "the turn")
    for _ in race.rounds(40):
        route = await world.in_state(S.WAITING)
        sent = await world.send(route, "first")
        mind = withdraw(world, sent) if act == "withdraw" else edit(world, sent, "second")
        outcome, turn = await race.run(told(mind), world.start(route, 2))
        row = await message(world, sent)
        if outcome:
            race.saw("the turn")
            assert outcome == "claimed"
            assert (row["state"], row["text"], isinstance(turn, StepAttempt)) == ("claimed", "first", True)
        elif act == "withdraw":
            race.saw("the sender")
            assert (row["state"], isinstance(turn, Standing)) == ("withdrawn", True)
            assert (await world.box(route)).state is S.WAITING
        else:
            race.saw("the sender")
            assert (row["state"], row["text"], isinstance(turn, StepAttempt)) == ("claimed", "second", True)
        await is_consistent(world, route)
    race.check()


async def test_many_who_withdraw_send_and_work(world: World) -> None:
    """Every message ends: read once, in order, or withdrawn and never read."""
    route = await waiting(world, "q")
    sent: list[Receipt] = []
    withdrawn: set[int] = set()
    done = asyncio.Event()

    async def send(sender: int) -> None:
        for n in range(25):
            mine = await world.send(route, f"{sender}-{n}", mode=SendMode.INTERRUPT if n % 7 == 0 else None)
            sent.append(mine)
            if n % 2 and not await told(withdraw(world, mine)):
                withdrawn.add(mine.seq)
            elif n % 3 == 0:
                await told(edit(world, mine, f"{sender}-{n} edited"))

    async def work() -> None:
        while True:
            box = await world.box(route)
            turn = box.turn if box.turn_open else box.turn + 1
            found = await world.start(route, turn)
            if isinstance(found, StepAttempt):
                again = len(await world.messages(route)) % 5 == 0
                await world.record(route, turn, attempt=found.attempt, asks=[question(f"q{turn}")] if again else [])
            elif done.is_set() and not (await world.box(route)).has_unclaimed:
                return

    async def control() -> None:
        while not done.is_set():
            for do in (world.pause, world.resume):
                await asyncio.sleep(0.02)
                await asyncio.gather(do(route), return_exceptions=True)

    worker, controller = asyncio.create_task(work()), asyncio.create_task(control())
    await asyncio.gather(*(send(n) for n in range(6)))
    done.set()
    await controller
    await asyncio.gather(world.resume(route), return_exceptions=True)
    async with asyncio.timeout(60):
        await worker
    rows = await world.messages(route)
    assert [row["seq"] for row in rows] == list(range(1, 151))
    assert {row["seq"] for row in rows if row["state"] == "withdrawn"} == withdrawn
    assert {row["state"] for row in rows} == {"withdrawn", "processed"}
    assert withdrawn
    read = [row for row in rows if row["turn"] is not None]
    assert [row["turn"] for row in read] == sorted(row["turn"] for row in read)
    assert all(row["state"] == "processed" for row in read)
    claimed = [
        one for event in await world.log(route) if event.type is T.TURN_STARTED for one in items(event, "messages")
    ]
    assert [one["seq"] for one in claimed] == [row["seq"] for row in read]
    await is_consistent(world, route)


async def test_two_who_redrive_at_once(world: World) -> None:
    route, sent = await failed(world, *(f"m{n}" for n in range(8)))
    done = await asyncio.gather(*(redrive(world, one) for one in (*sent, *sent)))
    assert sum(one.changed for one in done) == 8
    assert sorted(row["seq"] for row in await world.messages(route)) == list(range(9, 17))
    assert (await world.box(route)).unclaimed == 8
    await is_consistent(world, route)
