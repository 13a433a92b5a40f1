"""Messages: accepted in one statement, and read as they are now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from baton.domain.answers import problems
from baton.domain.authors import Author
from baton.domain.conversation import Question
from baton.domain.errors import (
    AnswerRefused,
    ExecutionNotFound,
    KeyReused,
    NotWaiting,
    Outdated,
    TaskBusy,
    TaskClosed,
    TaskNotFound,
)
from baton.domain.ids import Bounds, ExecutionId, MessageId, TaskId, TaskRoute, TenantId
from baton.domain.messages import Draft, Receipt
from baton.domain.states import MessageState, TaskState
from baton.domain.views import MessageView
from baton.store.codecs import ATTACHMENTS, QUESTIONS
from baton.store.pages import CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import fetchrow, fetchval, within

_KEY_TWICE: Final = "messages_idempotency_unique"


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Nothing was stored: the answer must be checked against ``questions`` first, and sent again with ``version``."""

    version: int
    questions: tuple[Question, ...]


async def accept(
    connection: Connection, route: TaskRoute, draft: Draft, author: Author, *, relay_seconds: float
) -> Receipt:
    """Accept a message, checking it first against the schemas of the questions that it answers.

    One commit where no open question has a schema. Raises like `send_message`, and `AnswerRefused`.
    """
    checked: int | None = None
    while True:
        sent = await send_message(
            connection, route, draft, author, relay_seconds=relay_seconds, checked_version=checked
        )
        if isinstance(sent, Receipt):
            return sent
        for question in sent.questions:
            if draft.question in (None, question.id) and (wrong := problems(question, draft.text)):
                raise AnswerRefused("the answer breaks the question's schema: the task keeps waiting", wrong)
        checked = sent.version


async def send_message(
    connection: Connection,
    route: TaskRoute,
    draft: Draft,
    author: Author,
    *,
    relay_seconds: float,
    checked_version: int | None = None,
) -> Receipt | Unchecked:
    """Accept a message: one statement, and where the connection is in autocommit one commit.

    Its idempotency key is looked up before anything else is judged: the same message under it gives the first receipt.
    ``relay_seconds``: when the relay rings, if nobody has taken the message up by then.

    Raises `TaskNotFound`, `TaskClosed`, `TaskBusy`, `NotWaiting`, `Outdated`, `KeyReused`; nothing is stored then. In a
    transaction a repeated key aborts it, so that callers who need one look the key up with `earlier` first.
    """
    message_id = uuid4()
    digest = draft.digest()
    try:
        row = await fetchrow(
            connection,
            "send_message",
            tenant=route.tenant_id,
            execution=route.execution_id,
            task=route.task_id,
            message=message_id,
            text=draft.text,
            attachments=ATTACHMENTS.write(draft.attachments),
            metadata=draft.metadata,
            origin=draft.origin,
            sender=author.name,
            author=author.json(),
            mode=draft.mode,
            idempotency_key=draft.idempotency_key,
            digest=digest,
            question=draft.question,
            if_versions=draft.if_versions,
            checked_version=checked_version,
            ring_seconds=relay_seconds,
            only_if_waiting=draft.only_if_waiting,
            grants=list(draft.grants),
            plan_only=draft.plan_only,
            pinned=draft.pinned,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _KEY_TWICE:
            raise
        receipt = await earlier(connection, route, draft)
        if receipt is None:  # the row that stood in the way was rolled back or deleted since
            raise
        return receipt
    if row is None:
        raise TaskNotFound("there is no such task")
    if row["verdict"] != "fine":
        if receipt := await earlier(connection, route, draft):
            return receipt
        return _refused(row)
    return Receipt(
        message_id=message_id,
        seq=row["seq"],
        task_id=route.task_id,
        execution_id=route.execution_id,
        accepted_at=row["accepted_at"],
        state=TaskState(row["state"]),
        version=row["version"],
        turn=row["turn"],
        turn_open=row["turn_open"],
        interrupts=row["interrupts"],
        was=TaskState(row["was"]),
        event_seq=row["event_seq"],
    )


async def hold(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> None:
    """Lock an execution for the transaction: until it ends nobody else changes its tasks or accepts messages to them.

    Raises `ExecutionNotFound`.
    """
    if await fetchrow(connection, "lock_plan", tenant=tenant_id, execution=execution_id) is None:
        raise ExecutionNotFound("there is no such execution")


async def earlier(connection: Connection, route: TaskRoute, draft: Draft) -> Receipt | None:
    """The receipt of an earlier send of ``draft`` under its key, or None. Raises `KeyReused` if that was another."""
    if draft.idempotency_key is None:
        return None
    row = await fetchrow(
        connection, "message_by_key", tenant=route.tenant_id, task=route.task_id, idempotency_key=draft.idempotency_key
    )
    return None if row is None else _told(row, draft)


async def earlier_of_execution(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, draft: Draft
) -> Receipt | None:
    """The receipt of an earlier send of ``draft`` under its key to any task of an execution, which must be locked.

    None if there is none. Raises `KeyReused` if all that was sent under it was another message.
    """
    if draft.idempotency_key is None:
        return None
    row = await fetchrow(
        connection,
        "message_of_execution_by_key",
        tenant=tenant_id,
        execution=execution_id,
        idempotency_key=draft.idempotency_key,
        digest=draft.digest(),
    )
    return None if row is None else _told(row, draft)


async def view(connection: Connection, tenant_id: TenantId, message_id: MessageId) -> MessageView | None:
    """A message, or None."""
    row = await fetchrow(connection, "message_view", tenant=tenant_id, message=message_id)
    return None if row is None else _message_of(row)


async def page(
    connection: Connection,
    tenant_id: TenantId,
    task_id: TaskId,
    *,
    after: int,
    limit: int,
    states: Sequence[MessageState] | None = None,
) -> CutPage[MessageView]:
    """A task's messages with a number above ``after``, in order."""
    rows = await fetch_page(
        connection, "list_messages", tenant=tenant_id, task=task_id, after=after, limit=limit, states=states
    )
    return rows.each(_message_of)


async def dead(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> CutPage[MessageView]:
    """Dead messages of all tasks, those first that died first. ``after``: ended_at and id where a page ended."""
    ended_at, message_id = after or (None, None)
    rows = await fetch_page(
        connection,
        "list_dead_messages",
        **within(bounds),
        after_time=ended_at,
        after_id=message_id,
        limit=limit,
    )
    return rows.each(_message_of)


async def last_text(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> str | None:
    """The text of the last message that was sent to a task and not withdrawn; None if there is none."""
    return await fetchval(connection, "last_message_text", tenant=tenant_id, task=task_id)


def _told(row: asyncpg.Record, draft: Draft) -> Receipt:
    """What the sender of an earlier message under the same key was told. Raises `KeyReused` if it was another."""
    if row["digest"] != draft.digest():
        raise KeyReused("this Idempotency-Key was used for another message")
    told = row["receipt"]
    return Receipt(
        message_id=UUID(str(row["id"])),
        seq=told.get("seq", row["seq"]),  # it has another one since it was redriven
        task_id=row["task_id"],
        execution_id=row["execution_id"],
        accepted_at=row["accepted_at"],
        state=TaskState(told["state"]),
        version=told["version"],
        turn=told["turn"],
        turn_open=told["turn_open"],
        replayed=True,
    )


def _refused(row: asyncpg.Record) -> Unchecked:
    state, questions = row["was"], QUESTIONS.read(row["open_questions"])
    match row["verdict"]:
        case "closed":
            raise TaskClosed(f"the task is {state}: it takes no more messages", state)
        case "busy":
            raise TaskBusy(f"the task is {state}: send again when it waits, or let the message queue", state)
        case "not_waiting":
            raise NotWaiting(f"the task is {state}: it waits for no answer", state)
        case "outdated":
            raise Outdated(
                "the task has changed: read it again",
                row["version"],
                tuple(question.id for question in questions),
            )
        case _:
            return Unchecked(row["version"], questions)


def _message_of(row: asyncpg.Record) -> MessageView:
    return MessageView(
        id=row["id"],
        seq=row["seq"],
        task_id=row["task_id"],
        execution_id=row["execution_id"],
        state=MessageState(row["state"]),
        turn=row["turn"],
        text=row["text"],
        attachments=ATTACHMENTS.read(row["attachments"]),
        origin=row["origin"],
        sender=row["sender"],
        author=None if row["author"] is None else Author.recorded(row["author"], row["sender"]),
        answers=tuple(row["answers"]),
        reason=row["reason"],
        accepted_at=row["accepted_at"],
        claimed_at=row["claimed_at"],
        ended_at=row["ended_at"],
        pinned=row["pinned"],
        task_version=row["task_version"],
    )
