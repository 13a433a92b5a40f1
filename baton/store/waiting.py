"""What an execution waited for after one of its events."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from baton.domain.approvals import call_question
from baton.domain.events import ApprovalAsked, QuestionAsked
from baton.domain.events.codec import decode
from baton.domain.events.parts import AskedApproval, AskedQuestion, PausedTask, WaitingTask
from baton.domain.ids import ExecutionId, TaskId, TenantId
from baton.domain.states import TaskState
from baton.store.pool import Connection
from baton.store.queries import fetch


async def asked_by_ids(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, task_id: TaskId, ids: Sequence[str]
) -> tuple[tuple[AskedQuestion, ...], tuple[AskedApproval, ...]]:
    """The questions and approvals of a task that have these ids, in their order, as the log has them."""
    rows = await fetch(
        connection,
        "asked_by_ids",
        tenant=tenant_id,
        execution=execution_id,
        task=task_id,
        asked=list(ids),
    )
    asked = [decode(row["type"], row["data"]) for row in rows]
    questions = {body.question_id: body for body in asked if isinstance(body, QuestionAsked)}
    approvals = {body.approval_id: body for body in asked if isinstance(body, ApprovalAsked)}
    return (
        tuple(questions[id] for id in ids if id in questions),
        tuple(approvals[id] for id in ids if id in approvals),
    )


async def waiting_after(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, seq: int, *, most_bytes: int, limit: int
) -> tuple[tuple[WaitingTask, ...], tuple[PausedTask, ...]]:
    """The tasks that waited, and those that were paused, after the event ``seq``, by position.

    Up to ``limit`` of them, and of what they ask about ``most_bytes``, but one at least.
    """
    rows = await fetch(
        connection,
        "waiting_after",
        tenant=tenant_id,
        execution=execution_id,
        seq=seq,
        most_bytes=most_bytes,
        limit=limit,
    )
    waiting = [_waiting(row) for row in rows if row["state"] == TaskState.WAITING]
    paused = [
        PausedTask(task_id=row["id"], position=row["position"]) for row in rows if row["state"] == TaskState.PAUSED
    ]
    return tuple(waiting), tuple(paused)


def _waiting(row: asyncpg.Record) -> WaitingTask:
    questions: list[Any] = row["questions"] or []
    approvals: list[Any] = row["approvals"] or []
    calls = [call_question(approval["tool"], approval["arguments"]) for approval in approvals]
    return WaitingTask(
        task_id=row["id"],
        position=row["position"],
        question="\n".join((*(question["text"] for question in questions), *calls)),
        waiting_since=row["since"],
        consent=not questions,
    )
