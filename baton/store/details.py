"""Reads of tasks with what few dialects ask for: by page, with their executions' metadata, and what the log says."""

from collections.abc import Sequence

import asyncpg

from baton.domain.events import Event, EventType
from baton.domain.ids import AgentId, TaskId, TaskRoute, TenantId
from baton.domain.states import TaskState
from baton.domain.views import TaskDetails
from baton.store.events import event_of
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval
from baton.store.views import task_of

#: A task's state, and whether a turn is under way.
Standing = tuple[TaskState, bool]


async def task(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> TaskDetails | None:
    """A task, or None."""
    row = await fetchrow(connection, "task_details", tenant=tenant_id, task=task_id)
    return None if row is None else _details_of(row)


async def tasks(
    connection: Connection,
    tenant_id: TenantId,
    *,
    limit: int,
    offset: int,
    standings: Sequence[Standing] | None = None,
    agent_id: AgentId | None = None,
) -> list[TaskDetails]:
    """Tasks, newest first; with ``standings`` only those that stand so."""
    rows = await fetch(
        connection,
        "page_task_details",
        tenant=tenant_id,
        agent=agent_id,
        limit=limit,
        offset=offset,
        **_columns(standings),
    )
    return [_details_of(row) for row in rows]


async def count_tasks(
    connection: Connection,
    tenant_id: TenantId,
    *,
    standings: Sequence[Standing] | None = None,
    agent_id: AgentId | None = None,
) -> int:
    """How many tasks `tasks` would give in all."""
    return await fetchval(connection, "count_tasks", tenant=tenant_id, agent=agent_id, **_columns(standings))


async def task_events(
    connection: Connection, route: TaskRoute, types: Sequence[EventType], *, after: int, limit: int
) -> list[Event]:
    """Events of ``types`` that are about one task, with a number above ``after``, in order."""
    rows = await fetch(
        connection,
        "task_events",
        tenant=route.tenant_id,
        execution=route.execution_id,
        task=route.task_id,
        types=list(types),
        after=after,
        limit=limit,
    )
    return [event_of(row) for row in rows]


def _columns(standings: Sequence[Standing] | None) -> dict[str, object]:
    if standings is None:
        return {"states": None, "open_turns": None}
    return {"states": [state for state, _ in standings], "open_turns": [turn_open for _, turn_open in standings]}


def _details_of(row: asyncpg.Record) -> TaskDetails:
    return TaskDetails(task_of(row), row["turn_open"], row["metadata"])
