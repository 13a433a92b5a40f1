"""Messages: accepted in one statement, alone or together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID, uuid4

import asyncpg
import orjson

from baton.domain.answers import problems
from baton.domain.authors import Author
from baton.domain.conversation import Question
from baton.domain.errors import (
    AnswerRefused,
    DomainError,
    ExecutionNotFound,
    KeyReused,
    NotWaiting,
    Outdated,
    TaskBusy,
    TaskClosed,
    TaskNotFound,
)
from baton.domain.ids import ExecutionId, TaskRoute, TenantId
from baton.domain.messages import Draft, Receipt
from baton.domain.states import TaskState
from baton.store.codecs import QUESTIONS
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow

#: The verdict of the statement on a message that it has stored.
_FINE: Final = "fine"


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Nothing was stored: the answer must be checked against ``questions`` first, and sent again with ``version``."""

    version: int
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class PreparedMessage:
    """A message that is ready to be sent to a task: ``row`` is what PostgreSQL is given, a JSON object."""

    route: TaskRoute
    draft: Draft
    message_id: UUID
    row: bytes

    @classmethod
    def of(cls, route: TaskRoute, draft: Draft, author: Author, *, checked_version: int | None = None) -> Self:
        """``checked_version``: the task's, when the answer was checked against the schemas of its questions."""
        message_id = uuid4()
        row = orjson.dumps(
            {
                "execution_id": str(route.execution_id),
                "task_id": str(route.task_id),
                "message_id": str(message_id),
                "text": draft.text,
                "attachments": draft.attachments,
                "metadata": draft.metadata,
                "origin": draft.origin,
                "sender": author.name,
                "author": author.json(),
                "own_mode": draft.mode,
                "idempotency_key": draft.idempotency_key,
                "digest": f"\\x{draft.digest().hex()}",
                "question": draft.question,
                "if_versions": draft.if_versions,
                "checked_version": checked_version,
                "only_if_waiting": draft.only_if_waiting,
                "grants": draft.grants,
                "plan_only": draft.plan_only,
                "pinned": draft.pinned,
            }
        )
        return cls(route, draft, message_id, row)


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

    Raises `TaskNotFound`, `TaskClosed`, `TaskBusy`, `NotWaiting`, `Outdated`, `KeyReused`; nothing is stored then.
    """
    message = PreparedMessage.of(route, draft, author, checked_version=checked_version)
    row = await fetchrow(connection, "send_message", **_together([message], relay_seconds))
    if row is None:
        raise TaskNotFound("there is no such task")
    if row["verdict"] == _FINE:
        return _receipt(message, row)
    if receipt := await earlier(connection, route, draft):
        return receipt
    outcome = _refused(row)
    if isinstance(outcome, Unchecked):
        return outcome
    raise outcome


async def send_together(
    connection: Connection, prepared: Sequence[PreparedMessage], *, relay_seconds: float
) -> list[Receipt | DomainError | None]:
    """Accept messages to tasks of one tenant, each of another execution: one statement, and in autocommit one commit.

    What became of each: its receipt, or why it is refused. None for one that has to be sent by itself with `accept`:
    its task is locked or not there, its idempotency key is to be looked up, or its text to be checked against the
    schema of a question. So nobody waits here for what one of them needs; and where PostgreSQL refuses the statement,
    whoseever fault that is, nothing is stored and each is to be sent by itself.
    """
    try:
        rows = await fetch(connection, "send_together", **_together(prepared, relay_seconds))
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError):
        return [None] * len(prepared)
    found = {row["message_id"]: row for row in rows}
    return [_settled(message, found.get(message.message_id)) for message in prepared]


def _together(prepared: Sequence[PreparedMessage], relay_seconds: float) -> dict[str, object]:
    """The arguments of the statements that accept."""
    rows = b"[" + b",".join(message.row for message in prepared) + b"]"
    return {"tenant": prepared[0].route.tenant_id, "sends": rows.decode(), "ring_seconds": relay_seconds}


def _settled(message: PreparedMessage, row: asyncpg.Record | None) -> Receipt | DomainError | None:
    if row is None:
        return None
    if row["verdict"] == _FINE:
        return _receipt(message, row)
    if message.draft.idempotency_key is not None:
        return None
    outcome = _refused(row)
    return None if isinstance(outcome, Unchecked) else outcome


def _receipt(message: PreparedMessage, row: asyncpg.Record) -> Receipt:
    return Receipt(
        message_id=message.message_id,
        seq=row["seq"],
        task_id=message.route.task_id,
        execution_id=message.route.execution_id,
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


def _refused(row: asyncpg.Record) -> Unchecked | DomainError:
    """Why a message was not accepted. Its key was used before where the first of that name is gone by now."""
    state, questions = row["was"], QUESTIONS.read(row["open_questions"])
    match row["verdict"]:
        case "closed":
            return TaskClosed(f"the task is {state}: it takes no more messages", state)
        case "busy":
            return TaskBusy(f"the task is {state}: send again when it waits, or let the message queue", state)
        case "not_waiting":
            return NotWaiting(f"the task is {state}: it waits for no answer", state)
        case "outdated":
            asked = tuple(question.id for question in questions)
            return Outdated("the task has changed: read it again", row["version"], asked)
        case _:
            return Unchecked(row["version"], questions)
