"""What becomes of a message after it was accepted: edited, withdrawn or redriven by a person.

Each change is one transaction, opened by the caller, that locks the execution, then the task, and decides by what it
finds then: a turn that claims the message holds the same locks, so that one of the two comes first, and the other is
told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg

from baton.domain.authors import Author
from baton.domain.conversation import Question
from baton.domain.errors import (
    AnswerRefused,
    Conflict,
    MessageNotFound,
    MessageTaken,
    Outdated,
    TaskClosed,
)
from baton.domain.events import MessageEdited, MessagePinned, MessageRedriven, MessageWithdrawn
from baton.domain.ids import Bounds, MessageId, TaskId, TaskRoute, TenantId
from baton.domain.mailbox import Mailbox, put
from baton.domain.messages import Edit
from baton.domain.results import value_of
from baton.domain.states import MessageState, TaskState
from baton.domain.withdrawing import Others, accept_again, withdraw
from baton.store.changes import RING_SECONDS, Change, approval_ids, question_ids
from baton.store.codecs import ATTACHMENTS, QUESTIONS
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow, fetchval, within

#: The door through which a question's default comes at its deadline.
_DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Changed:
    """What a transaction came to. ``box`` is the task's mailbox after it, ``event_seq`` the log's last number.

    ``changed``: whether it wrote anything. ``rings``: whether the task's workflow is to look, ``rings_plan`` its plan;
    the relay sees to both if nobody else does.
    """

    box: Mailbox
    event_seq: int
    changed: bool = False
    rings: bool = False
    rings_plan: bool = False


async def home(connection: Connection, bounds: Bounds, message_id: MessageId) -> TaskId:
    """The task that a message was sent to. Raises `MessageNotFound`."""
    task_id = await fetchval(connection, "message_home", **within(bounds), message=message_id)
    if task_id is None:
        raise MessageNotFound("there is no such message")
    return task_id


async def answered(connection: Connection, tenant_id: TenantId, message_id: MessageId) -> tuple[Question, ...]:
    """The questions that a message answered when it was accepted: they, and that it did, never change."""
    rows = await fetch(connection, "questions_answered", tenant=tenant_id, message=message_id)
    return tuple({question.id: question for question in QUESTIONS.read([row["question"] for row in rows])}.values())


async def edit_message(
    connection: Connection,
    route: TaskRoute,
    message_id: MessageId,
    edit: Edit,
    if_versions: tuple[int, ...] | None = None,
    refusal: AnswerRefused | None = None,
) -> Changed:
    """Edit a message that no turn has claimed; what it answers stays. One that reads so already is left as it is.

    ``if_versions``: as a `Draft` has them; ``refusal``: why the edit may not be made, if it is not too
    late for it anyway. Raises `MessageTaken`, `Outdated`, and the refusal.
    """
    change, row = await _locked(connection, route, message_id)
    text = row["text"] if edit.text is None else edit.text
    attachments = row["attachments"] if edit.attachments is None else ATTACHMENTS.write(edit.attachments)
    if (text, attachments) == (row["text"], row["attachments"]):
        return _unchanged(change)
    _check(change, row, if_versions, "edited")
    if refusal is not None:
        raise refusal
    await execute(
        connection, "edit_message", tenant=route.tenant_id, message=message_id, text=text, attachments=attachments
    )
    change.box = replace(change.task.box, version=change.task.box.version + 1)
    change.say(MessageEdited(message_id=message_id, seq=row["seq"], text=text))
    return Changed(change.box, await change.write(keep_ring=True), changed=True)


async def pin_message(
    connection: Connection, route: TaskRoute, message_id: MessageId, by: Author, *, pinned: bool
) -> Changed:
    """Pin a message, or take its pin off: from the next step on the agent reads it word for word where a summary stands
    for its turn, or does not. One that is pinned, or is not, already stays as it is. Raises `Conflict` for one that was
    withdrawn, which nobody reads.
    """
    change, row = await _locked(connection, route, message_id)
    if row["state"] == MessageState.WITHDRAWN:
        raise Conflict("the message is withdrawn: the agent does not read it", MessageState.WITHDRAWN)
    if not await fetchval(connection, "pin_message", tenant=route.tenant_id, message=message_id, pinned=pinned):
        return _unchanged(change)
    change.say(MessagePinned(message_id=message_id, seq=row["seq"], pinned=pinned, by=by.name, author=by))
    return Changed(change.box, await change.write(keep_ring=True), changed=True)


async def withdraw_message(
    connection: Connection, route: TaskRoute, message_id: MessageId, if_versions: tuple[int, ...] | None = None
) -> Changed:
    """Withdraw a message that no turn has claimed: the task is what it would be without it. Again changes nothing.

    Questions that it answered are open again, unless a later message is to be read. Raises `MessageTaken`, `Outdated`.
    """
    change, row = await _locked(connection, route, message_id)
    if row["state"] == MessageState.WITHDRAWN:
        return _unchanged(change)
    _check(change, row, if_versions, "withdrawn")
    names = {"tenant": route.tenant_id, "task": route.task_id}
    was = change.task.box
    rested = [question.id for question in was.rest.questions]
    others = await fetchrow(connection, "withdraw_message", **names, message=message_id, question_ids=rested)
    assert others is not None
    box = _without_deadlines(was, row["answers"]) if row["origin"] == _DEADLINE else was
    change.box = withdraw(box, row["seq"], row["answers"], Others(others["newest"], others["all_answer"]))
    asks_anew = (change.box.questions, change.box.approvals) != (was.questions, was.approvals)
    waits_anew = change.box.state is TaskState.WAITING and asks_anew
    is_over_again = change.box.state.is_over and not was.state.is_over
    result = error = None
    if is_over_again:
        back = await fetchrow(connection, "come_back", **names)
        assert back is not None
        error = back["error_code"]
        result = value_of(back["result"], is_json=back["result_json"])
    withdrawn = MessageWithdrawn(
        message_id=message_id,
        seq=row["seq"],
        result=result,
        error=error,
        open_questions=question_ids(change.box),
        open_approvals=approval_ids(change.box),
    )
    change.say(withdrawn, change.box.state if change.box.state is not was.state else None)
    event_seq = await change.write(ring_seconds=RING_SECONDS if waits_anew else None, keep_ring=True)
    if is_over_again and route.in_plan:
        await change.ring_plan()
    return Changed(change.box, event_seq, True, waits_anew, is_over_again and route.in_plan)


async def redrive_message(
    connection: Connection,
    route: TaskRoute,
    message_id: MessageId,
    if_versions: tuple[int, ...] | None = None,
    *,
    relay_seconds: float = RING_SECONDS,
) -> Changed:
    """Accept a dead message again, as the last one; its task runs, as for any message. One that is not dead stays as
    it is.

    What the message answered when it was sent stays its answer, but it answers nothing that was asked since. Raises
    `TaskClosed`, `Outdated`.
    """
    change, row = await _locked(connection, route, message_id)
    if row["state"] != MessageState.DEAD:
        return _unchanged(change)
    was = change.task.box
    if was.state is TaskState.CANCELLED:
        raise TaskClosed("the task is cancelled: its messages cannot be redriven", was.state)
    _check_version(change, if_versions)
    decides = [approval.id for approval in was.approvals]
    seq = await fetchval(
        connection, "redrive_message", tenant=route.tenant_id, task=route.task_id, message=message_id, decides=decides
    )
    change.box = accept_again(was)
    runs = change.box.state is TaskState.RUNNING
    redriven = MessageRedriven(
        message_id=message_id,
        seq=seq,
        was_seq=row["seq"],
        text=row["text"],
        origin=row["origin"],
        sender=row["sender"],
        author=Author.recorded(row["author"], row["sender"]),
        answers=tuple(row["answers"]),
        decides=tuple(decides),
        queued=was.turn_open,
    )
    change.say(redriven, change.box.state if change.box.state is not was.state else None)
    event_seq = await change.write(ring_seconds=relay_seconds if runs and not was.turn_open else None, keep_ring=True)
    reopens = was.state.is_over and route.in_plan
    if reopens:
        await change.ring_plan()
    return Changed(change.box, event_seq, True, runs, reopens)


async def _locked(connection: Connection, route: TaskRoute, message_id: MessageId) -> tuple[Change, asyncpg.Record]:
    """The task, locked, and the message as it is from then on. Raises `TaskNotFound`, `MessageNotFound`."""
    change = await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)
    row = await fetchrow(connection, "message_now", tenant=route.tenant_id, message=message_id)
    if row is None:
        raise MessageNotFound("there is no such message")
    return change, row


def _check(change: Change, row: asyncpg.Record, if_versions: tuple[int, ...] | None, what: str) -> None:
    """Raises `MessageTaken` where a turn was faster, `Outdated` where the caller has not seen what is true now."""
    state = MessageState(row["state"])
    if state is not MessageState.ACCEPTED:
        by = "" if row["turn"] is None else f", turn {row['turn']} has read it"
        raise MessageTaken(f"the message is {state}{by}: it can no longer be {what}", state, row["turn"])
    _check_version(change, if_versions)


def _check_version(change: Change, if_versions: tuple[int, ...] | None) -> None:
    box = change.task.box
    if if_versions is not None and box.version not in if_versions:
        raise Outdated(
            "the task has changed: read it again", box.version, tuple(question.id for question in box.questions)
        )


def _without_deadlines(box: Mailbox, answers: Sequence[str]) -> Mailbox:
    """Without the deadlines of questions whose default is taken back: they have passed, and would give it again."""
    return put(box, [replace(question, deadline_at="") for question in box.rest.questions if question.id in answers])


def _unchanged(change: Change) -> Changed:
    return Changed(change.task.box, change.task.event_seq)
