"""An execution's event log."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from baton.domain.errors import ExecutionNotFound
from baton.domain.events import Event, EventType, NewEvent
from baton.domain.events.codec import decode, encode
from baton.domain.ids import ExecutionId, TaskRoute, TenantId
from baton.domain.json import INT64_MAX
from baton.domain.states import ExecutionState, TaskState
from baton.store.pages import CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval


@dataclass(frozen=True, slots=True)
class LogHead:
    """``head``: the last event's number (0: none). ``oldest``: the first that can still be read."""

    head: int
    oldest: int
    state: ExecutionState


async def append(
    connection: Connection,
    tenant_id: TenantId,
    execution_id: ExecutionId,
    events: Sequence[NewEvent],
    *,
    positions: Mapping[object, int],
    state: ExecutionState | None = None,
) -> int:
    """Append ``events`` and, with the last of them, the execution's new ``state`` if it changed.

    ``positions`` gives the task's integer in the plan for each task id. Takes the lock on the execution's row until the
    transaction ends. Returns the number of the last event. Raises `ExecutionNotFound`.
    """
    last = await fetchval(
        connection,
        "append_events",
        tenant=tenant_id,
        execution=execution_id,
        execution_state=state,
        **columns(events, positions),
    )
    if last is None:
        raise ExecutionNotFound("there is no such execution")
    return last


def columns(events: Sequence[NewEvent], positions: Mapping[object, int]) -> dict[str, list[object]]:
    """What the statements that append ``events`` take."""
    return {
        "types": [event.body.type for event in events],
        "task_ids": [event.task_id for event in events],
        "positions": [positions.get(event.task_id) for event in events],
        "task_states": [event.task_state for event in events],
        "data": [encode(event) for event in events],
    }


async def after(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, seq: int, limit: int
) -> list[Event]:
    """Up to ``limit`` events with a number above ``seq``, in order, without gaps."""
    rows = await fetch(connection, "events_after", tenant=tenant_id, execution=execution_id, after=seq, limit=limit)
    return [event_of(row) for row in rows]


async def of_types(
    connection: Connection,
    tenant_id: TenantId,
    execution_id: ExecutionId,
    types: Collection[EventType],
    *,
    newest_first: bool,
    beyond: int | None,
    limit: int,
) -> CutPage[Event]:
    """Up to ``limit`` events of some types, or that changed the execution's state, in order or newest first.

    ``beyond``: the number at which the page before ended, None for the first.
    """
    log: dict[str, object] = {"tenant": tenant_id, "execution": execution_id, "types": list(types)}
    if newest_first:
        before = INT64_MAX if beyond is None else beyond
        rows = await fetch_page(connection, "latest_events_of_types", limit=limit, **log, before=before)
    else:
        rows = await fetch_page(connection, "events_of_types", limit=limit, **log, after=beyond or 0)
    return rows.each(event_of)


async def head(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> LogHead | None:
    """Where an execution's log stands, or None if the tenant has no such execution."""
    row = await fetchrow(connection, "log_head", tenant=tenant_id, execution=execution_id)
    return None if row is None else LogHead(row["head"], row["oldest"], ExecutionState(row["state"]))


async def of_task(
    connection: Connection, route: TaskRoute, types: Sequence[EventType], *, after: int, limit: int
) -> CutPage[Event]:
    """Events of ``types`` that are about one task, with a number above ``after``, in order."""
    rows = await fetch_page(
        connection,
        "task_events",
        tenant=route.tenant_id,
        execution=route.execution_id,
        task=route.task_id,
        types=list(types),
        after=after,
        limit=limit,
    )
    return rows.each(event_of)


async def was_resumed(connection: Connection, route: TaskRoute) -> bool:
    """Whether the last that somebody has done to a task, of pausing and resuming it, was to resume it."""
    done = await fetchval(
        connection,
        "last_of_types",
        tenant=route.tenant_id,
        execution=route.execution_id,
        task=route.task_id,
        types=[EventType.TASK_PAUSED, EventType.TASK_RESUMED],
    )
    return done == EventType.TASK_RESUMED


def event_of(row: asyncpg.Record) -> Event:
    """An event from its row."""
    data = row["data"]
    return Event(
        seq=row["seq"],
        at=row["at"],
        body=decode(row["type"], data),
        data=data,
        task_id=row["task_id"],
        position=row["position"],
        task_state=row["task_state"] and TaskState(row["task_state"]),
        execution_state=row["execution_state"] and ExecutionState(row["execution_state"]),
    )
