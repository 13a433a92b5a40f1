"""Every accepted message ends, whatever becomes of its task; what is taken back starts no turn."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import pytest

from baton.domain.bells import of_message
from baton.domain.errors import MessageTaken
from baton.domain.events import Event, EventType
from baton.domain.ids import TaskById, whole_tenant
from baton.domain.messages import Draft, Receipt
from baton.domain.states import MessageState
from baton.service import control, receipts
from baton.service.messages import get_message
from baton.service.routes import Routes
from baton.store import messages
from baton.store.receipts import withdraw_message
from tests.support.authors import author
from tests.support.system import System, eventually
from workflows.contracts import task_workflow_id

ENDS = (MessageState.PROCESSED, MessageState.WITHDRAWN, MessageState.DEAD)


async def ended(system: System, *sent: Receipt) -> list[tuple[str, int | None, str | None]]:
    """Wait until all these messages have ended; how: state, turn, reason. The log says it, once, of each."""
    seen: list[tuple[str, int | None, str | None]] = []
    for one in sent:

        async def look(id: UUID = one.message_id) -> tuple[str, int | None, str | None] | None:
            found = await get_message(system.baton, system.who, id)
            if found.state not in ENDS:
                return None
            assert found.ended_at is not None
            assert found.ended_at >= (found.claimed_at or found.accepted_at) >= found.accepted_at
            return found.state.value, found.turn, found.reason

        seen.append(await eventually(look))
    for one in sent:
        log = await system.log(one.execution_id)
        assert [event.seq for event in log] == list(range(1, len(log) + 1))
        assert len(told_end(log, one)) == 1
    return seen


def told_end(log: Sequence[Event], sent: Receipt) -> list[EventType]:
    """The events that say that a message has ended. A turn that failed says so twice: here it counts once."""
    name = str(sent.message_id)
    kinds: list[EventType] = []
    for event in log:
        named = [str(one["message_id"]) for one in cast("list[dict[str, Any]]", event.data.get("messages") or [])]
        if event.type is EventType.MESSAGE_WITHDRAWN and event.data["message_id"] == name:
            kinds.append(event.type)
        if event.type is EventType.MESSAGES_DEAD and name in named:
            kinds.append(event.type)
        if event.type is EventType.TURN_ENDED and event.data["outcome"] != "failed" and name in named:
            kinds.append(event.type)
    return kinds


async def at_work(system: System, prompt: str) -> UUID:
    """A task whose turn is under way."""
    task = await system.start(prompt)

    async def is_open() -> bool:
        return bool((await system.row(task))["turn_open"])

    await eventually(is_open)
    return task


async def waiting_plan(system: System) -> tuple[UUID, UUID, UUID]:
    """A plan of two tasks: the first waits, the second is pending. The execution's id, and theirs."""
    execution = await system.start_plan(("!ask go?", ()), ("!finish two", (1,)))

    async def waits() -> bool:
        return (await system.tasks_of(execution))[1]["state"] == "waiting"

    await eventually(waits)
    rows = await system.tasks_of(execution)
    first, second = rows[1]["id"], rows[2]["id"]
    assert isinstance(first, UUID)
    assert isinstance(second, UUID)
    return execution, first, second


# -- every way in which a task can end --------------------------------------------------------------------------------


async def test_succeeded(system: System) -> None:
    task = await at_work(system, "!sleep 0.3\n!finish one")
    sent = [await system.send(task, f"m{n}") for n in range(3)]
    await system.until(task, "succeeded")
    assert await ended(system, *sent) == [("processed", 2, None)] * 3


async def test_failed_for_good(system: System) -> None:
    task = await system.start("!ask what?")
    await system.until(task, "waiting")
    sent = await system.send(task, "!fatal no")
    await system.until(task, "failed")
    assert await ended(system, sent) == [("dead", 2, "scripted_fatal")]


async def test_failed_for_good_with_another_message_queued(system: System) -> None:
    task = await system.start("!ask what?")
    await system.until(task, "waiting")
    failing = await system.send(task, "!sleep 0.5\n!fatal no")
    queued = await system.send(task, "and this?")
    await system.until(task, "succeeded", "failed")
    (first,), (second,) = await ended(system, failing), await ended(system, queued)
    assert first == ("dead", 2, "scripted_fatal")
    assert second in (("processed", 3, None), ("dead", 2, "scripted_fatal"))  # the turn may have claimed both


async def test_cancelled_at_work_with_unread_messages(system: System) -> None:
    task = await system.start("!ask what?")
    await system.until(task, "waiting")
    read = await system.send(task, "!sleep 60")

    async def is_open() -> bool:
        return bool((await system.row(task))["turn_open"])

    await eventually(is_open)
    unread = [await system.send(task, "unread") for _ in range(2)]
    await control.cancel(system.baton, system.who, TaskById(task))
    assert await ended(system, read, *unread) == [
        ("processed", 2, None),
        ("dead", None, "task_cancelled"),
        ("dead", None, "task_cancelled"),
    ]


async def test_an_execution_cancelled_with_tasks_in_every_state(system: System) -> None:
    execution, first, second = await waiting_plan(system)
    sent = [await system.send(second, "to the pending one")]
    await control.pause(system.baton, system.who, TaskById(first))
    await control.cancel_execution(system.baton, system.who, execution)
    assert await ended(system, *sent) == [("dead", None, "task_cancelled")]


async def test_its_dependency_failed(system: System) -> None:
    _, first, second = await waiting_plan(system)
    unread = await system.send(second, "to the pending one")
    failing = await system.send(first, "!fatal no")
    assert await ended(system, failing, unread) == [("dead", 2, "scripted_fatal"), ("dead", None, "dependency_failed")]


async def test_its_dependency_was_cancelled(system: System) -> None:
    _, first, second = await waiting_plan(system)
    unread = await system.send(second, "to the pending one")
    await control.cancel(system.baton, system.who, TaskById(first))
    assert await ended(system, unread) == [("dead", None, "dependency_failed")]


async def test_its_workflow_was_cancelled_in_temporal(system: System) -> None:
    task = await at_work(system, "!sleep 60")
    unread = await system.send(task, "unread")
    await system.temporal.client.get_workflow_handle(task_workflow_id(str(task))).cancel()
    assert await ended(system, unread) == [("dead", None, "task_cancelled")]


async def test_interrupted_and_paused_then_resumed(system: System) -> None:
    task = await system.start("!ask what?")
    await system.until(task, "waiting")
    read = await system.send(task, "!sleep 60")

    async def is_open() -> bool:
        return bool((await system.row(task))["turn_open"])

    await eventually(is_open)
    queued = await system.send(task, "queued")
    await control.pause(system.baton, system.who, TaskById(task))
    await system.until(task, "paused")
    assert await ended(system, read) == [("processed", 2, None)]
    await control.resume(system.baton, system.who, TaskById(task))
    assert await ended(system, queued) == [("processed", 3, None)]


# -- what is taken back -----------------------------------------------------------------------------------------------


async def test_a_message_that_was_taken_back_starts_no_turn(system: System) -> None:
    """Its doorbell rings, the workflow looks, and the task goes on waiting for its answer."""
    task = await system.start("!ask Which?\n!finish done")
    before = await system.until(task, "waiting")
    route = await Routes(system.baton.pool).find(whole_tenant(system.who.tenant_id), TaskById(task))
    async with system.baton.pool.transaction() as connection:  # no worker can come in between
        sent = await messages.send_message(connection, route, Draft("red", "test"), author("tester"), relay_seconds=60)
        assert isinstance(sent, Receipt)
        await withdraw_message(connection, route, sent.message_id)
    bell = of_message(sent, in_plan=route.in_plan).task
    assert bell is not None
    assert await system.baton.doorbell.ring_for(route, bell)

    async def heard() -> bool:
        return (await system.row(task))["ring_at"] is None

    await eventually(heard)
    row = await system.row(task)
    assert (row["state"], row["turn"], row["open_questions"]) == ("waiting", 1, before["open_questions"])
    assert row["waiting_since"] == before["waiting_since"]
    assert await ended(system, sent) == [("withdrawn", None, None)]
    await system.send(task, "green")
    assert (await system.until(task, "succeeded"))["result"] == "You said: green\ndone"


async def test_queued_messages_are_edited_and_taken_back(system: System) -> None:
    task = await at_work(system, "!sleep 0.5\n!finish first")
    kept, edited, gone = [await system.send(task, text) for text in ("kept", "edited", "gone")]
    settled = await receipts.withdraw_message(system.baton, system.who, gone.message_id)
    assert (settled.message.state, settled.task_state) == ("withdrawn", "running")
    await receipts.edit_message(system.baton, system.who, edited.message_id, receipts.Edit(text="better"))
    row = await system.until(task, "succeeded")
    assert row["result"] == "You said: kept\nYou said: better"
    assert await ended(system, kept, edited, gone) == [
        ("processed", 2, None),
        ("processed", 2, None),
        ("withdrawn", None, None),
    ]
    with pytest.raises(MessageTaken) as told:
        await receipts.withdraw_message(system.baton, system.who, kept.message_id)
    assert (told.value.state, told.value.turn) == ("processed", 2)


async def test_a_task_is_over_when_its_last_queued_message_is_taken_back(system: System) -> None:
    """Whether the turn ends over it first, or finds nothing queued any more: the dependent starts."""
    execution = await system.start_plan(("!sleep 0.5\n!finish one", ()), ("!results\n!finish two", (1,)))

    async def is_open() -> bool:
        return bool((await system.tasks_of(execution))[1]["turn_open"])

    await eventually(is_open)
    sent = await system.send((execution, 1), "never mind")
    await receipts.withdraw_message(system.baton, system.who, sent.message_id)

    async def done() -> dict[str, object] | None:
        row = (await system.tasks_of(execution))[2]
        return row if row["state"] == "succeeded" else None

    assert "task 1: one" in str((await eventually(done))["result"])
    assert (await system.tasks_of(execution))[1]["turn"] == 1
    assert await ended(system, sent) == [("withdrawn", None, None)]


# -- what is dead -----------------------------------------------------------------------------------------------------


async def test_a_dead_message_is_redriven(system: System) -> None:
    _, first, second = await waiting_plan(system)
    unread = [await system.send(second, f"m{n}") for n in range(2)]
    await system.send(first, "!fatal no")
    await ended(system, *unread)
    for one in unread:
        settled = await receipts.redrive_message(system.baton, system.who, one.message_id)
        assert settled.message.id == one.message_id
    row = await system.until(second, "succeeded")
    assert str(row["result"]).startswith("two")  # its description, at last; then what it was told

    async def processed() -> bool:
        found = [await get_message(system.baton, system.who, one.message_id) for one in unread]
        return {one.state for one in found} == {MessageState.PROCESSED}

    await eventually(processed)


async def test_an_answer_that_broke_its_turn_is_redriven_as_that_answer(system: System) -> None:
    task = await system.start("!ask Which?\n!finish done")
    await system.until(task, "waiting")
    sent = await system.send(task, "!fatal no")
    await system.until(task, "failed")
    await receipts.redrive_message(system.baton, system.who, sent.message_id)

    async def failed_again() -> bool:
        row = await system.row(task)
        return row["turn"] == 3 and row["state"] == "failed"

    await eventually(failed_again)
    found = await get_message(system.baton, system.who, sent.message_id)
    assert (found.state, found.turn, found.seq, found.reason) == ("dead", 3, 2, "scripted_fatal")
    await system.send(task, "never mind")
    assert (await system.until(task, "succeeded"))["result"] == "done"
