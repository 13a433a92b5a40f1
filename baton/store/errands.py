"""Errands: what a task was told, one by one, and what was done about it."""

from typing import Final
from uuid import UUID

import asyncpg

from baton.domain.errands import Errand, ErrandState, Taken, TaskWithErrand, errand_state
from baton.domain.errors import Conflict, MessageNotFound
from baton.domain.ids import AgentId, ErrandId, TaskId, TaskRoute, TenantId
from baton.domain.json import INT64_MAX
from baton.domain.mailbox import Standing, standing
from baton.domain.states import MessageState, TaskState, TurnState
from baton.store import control, tasks
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval
from baton.store.tasks import questions_of

#: The number of the errand that is a task's description.
DESCRIPTION: Final = 0


async def page(
    connection: Connection,
    tenant_id: TenantId,
    task_id: TaskId,
    *,
    limit: int,
    lowest: int = DESCRIPTION,
    highest: int = INT64_MAX,
    withdrawn: bool = True,
) -> list[Errand]:
    """The last errands of a task with numbers from ``lowest`` to ``highest``, newest first, in one snapshot.

    ``withdrawn``: whether messages that were withdrawn count.
    """
    rows = await fetch(
        connection,
        "list_errands",
        tenant=tenant_id,
        task=task_id,
        lowest=lowest,
        highest=highest,
        withdrawn=withdrawn,
        limit=limit,
    )
    return [_errand_of(row) for row in rows]


async def last_said(connection: Connection, tenant_id: TenantId, task_id: TaskId, seq: int, key: str) -> str | None:
    """What was said last under a key of the metadata, by the execution or a message, up to the message ``seq``."""
    return await fetchval(connection, "last_said", tenant=tenant_id, task=task_id, seq=seq, field=key)


async def tasks_with_errands(
    connection: Connection,
    tenant_id: TenantId,
    *,
    limit: int,
    agent_id: AgentId | None = None,
    before: int | None = None,
) -> list[TaskWithErrand]:
    """Tasks that are not archived, newest first. ``before``: the integer of the task at which a page ended."""
    rows = await fetch(
        connection, "list_tasks_with_errands", tenant=tenant_id, agent=agent_id, before=before, limit=limit
    )
    return [
        TaskWithErrand(row["id"], row["number"], row["title"], row["created_at"], _state_of(row, superseded=False))
        for row in rows
    ]


async def archive(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> bool:
    """Put a task out of the way. Again changes nothing. False if there is no such task."""
    return await fetchval(connection, "archive_task", tenant=tenant_id, task=task_id) is not None


async def home(
    connection: Connection, tenant_id: TenantId, errand_id: ErrandId, *, agent_id: AgentId | None = None
) -> TaskId:
    """The task that an errand is of: never changes. ``agent_id``: whose alone counts. Raises `MessageNotFound`."""
    row = await fetchrow(connection, "errand_home", tenant=tenant_id, errand=errand_id, agent=agent_id)
    if row is None:
        raise MessageNotFound("there is no such message")
    return row["task_id"]


async def find(connection: Connection, tenant_id: TenantId, errand_id: UUID) -> Errand | None:
    """An errand by its id; None if there is none, or its message is being redriven right now."""
    home = await fetchrow(connection, "errand_home", tenant=tenant_id, errand=errand_id, agent=None)
    if home is None:
        return None
    found = await page(connection, tenant_id, home["task_id"], limit=1, lowest=home["seq"], highest=home["seq"])
    return found[0] if found and found[0].id == errand_id else None


async def stop(connection: Connection, route: TaskRoute, errand_id: UUID, by: str) -> Standing:
    """Pause the task that is at an errand; what is done about it is interrupted. In a transaction.

    One that is cancelled already is left alone. Raises `TaskNotFound`, `MessageNotFound`, and `Conflict` for one that
    is over otherwise: whatever its task is at by now goes on.
    """
    task = await tasks.lock(connection, route.tenant_id, route.execution_id, route.task_id)
    errand = await find(connection, route.tenant_id, errand_id)
    if errand is None:
        raise MessageNotFound("there is no such message")
    if errand.state is ErrandState.CANCELLED:
        return standing(task.box, event_seq=task.event_seq)
    if errand.state.is_over:
        raise Conflict(f"the job is already {errand.state}: there is nothing to cancel", errand.state)
    return await control.pause(connection, route, by)


def _errand_of(row: asyncpg.Record) -> Errand:
    return Errand(
        id=row["id"],
        seq=row["seq"],
        task_id=row["task_id"],
        execution_id=row["execution_id"],
        agent_id=row["agent_id"],
        state=_state_of(row, superseded=row["superseded"]),
        superseded=row["superseded"],
        turn=row["turn"],
        last_turn=row["last_turn"],
        text=row["text"],
        metadata=row["metadata"],
        answer=row["answer"],
        asked=questions_of(row["asked"]),
        held=tuple((tool, arguments) for tool, arguments in row["held"]),
        error=row["error"],
        given_at=row["given_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        after_event=row["after_event"],
        last_event=row["last_event"],
        task_turn=row["task_turn"],
        task_version=row["task_version"],
    )


def _state_of(row: asyncpg.Record, *, superseded: bool) -> ErrandState:
    said, last = row["message_state"], row["last_turn_state"]
    return errand_state(
        Taken(TaskState(row["task_state"]), row["task_turn"], row["interrupt_turn"], row["unclaimed"]),
        None if said is None else MessageState(said),
        row["turn"],
        superseded=superseded,
        last_turn=row["last_turn"],
        last_turn_state=None if last is None else TurnState(last),
    )
