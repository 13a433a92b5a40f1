"""Reads of what was said and done in a task."""

from baton.domain.ids import TaskId, TenantId
from baton.domain.states import MessageState, StepState
from baton.domain.timeline import MadeCall, SaidMessage, TakenStep, Timeline
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchval
from baton.store.tasks import questions_of


async def timeline(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> Timeline:
    """All that was said and done in a task; nothing for a task that there is not."""
    messages = await fetch(connection, "timeline_messages", tenant=tenant_id, task=task_id)
    steps = await fetch(connection, "timeline_steps", tenant=tenant_id, task=task_id)
    calls = await fetch(connection, "timeline_calls", tenant=tenant_id, task=task_id)
    return Timeline(
        messages=tuple(
            SaidMessage(row["id"], row["text"], MessageState(row["state"]), row["accepted_at"]) for row in messages
        ),
        steps=tuple(
            TakenStep(
                turn=row["turn"],
                step=row["step"],
                state=StepState(row["state"]),
                text=row["text"],
                asked=questions_of(row["asked"]),
                error=row["error_code"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
            )
            for row in steps
        ),
        calls=tuple(
            MadeCall(
                turn=row["turn"],
                step=row["step"],
                id=row["call_id"],
                name=row["name"],
                arguments=row["arguments"],
                done=row["done"],
                content=row["content"],
                failed=row["failed"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
            )
            for row in calls
        ),
    )


async def last_message(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> str | None:
    """The text of the last message that was sent to a task and not withdrawn; None if there is none."""
    return await fetchval(connection, "last_message_text", tenant=tenant_id, task=task_id)
