"""What the event feed reads: many logs in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from baton.domain.events import Event, EventType
from baton.domain.ids import AgentId, ExecutionId, TaskId, TenantId
from baton.domain.states import ExecutionState, TaskState
from baton.store.events import event_of
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow


@dataclass(frozen=True, slots=True)
class Known:
    """An execution's log, and the number of the last of its events that is known (0: none)."""

    tenant_id: TenantId
    execution_id: ExecutionId
    seq: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """What is new in a log: ``events`` follow what was known, without a gap unless they are pruned.

    ``head`` and ``state`` are the log's last number and the execution's state in the same snapshot; there is more to
    read if ``head`` is beyond the last event. Of steps that were completed up to ``pruned_seq`` the pieces are gone.
    """

    head: int
    state: ExecutionState
    events: tuple[Event, ...]
    pruned_seq: int = 0


@dataclass(frozen=True, slots=True)
class LogStart:
    """Where a log stands. ``oldest``: the first event that can still be read. ``whole_from``: the first from which on
    none is missing. ``task_state``: None without a task."""

    head: int
    oldest: int
    whole_from: int
    state: ExecutionState
    agent_id: AgentId
    task_state: TaskState | None


async def pages(connection: Connection, known: Sequence[Known], *, limit: int, most_bytes: int) -> dict[UUID, LogPage]:
    """What is new in each log: ``limit`` events of each at most, and none after ``most_bytes``. A log that is gone is
    left out."""
    rows = await fetch(connection, "feed_pages", limit=limit, most_bytes=most_bytes, **_columns(known))
    heads: dict[UUID, tuple[int, ExecutionState, int]] = {}
    events: dict[UUID, list[Event]] = {}
    for row in rows:
        execution_id: UUID = row["execution_id"]
        heads[execution_id] = row["head"], ExecutionState(row["state"]), row["pruned_seq"]
        found = events.setdefault(execution_id, [])
        if row["seq"] is not None:
            event = event_of(row)
            pruned = event.type == EventType.STEP_COMPLETED and event.seq <= row["pruned_seq"]
            found.append(replace(event, pruned=True) if pruned else event)
    return {key: LogPage(head, state, tuple(events[key]), pruned) for key, (head, state, pruned) in heads.items()}


async def grown(connection: Connection, known: Sequence[Known]) -> list[UUID]:
    """The executions whose logs have grown beyond what is known."""
    rows = await fetch(connection, "feed_heads", **_columns(known))
    return [row["execution_id"] for row in rows]


async def start(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, task_id: TaskId | None
) -> LogStart | None:
    """Where a log stands, or None if the tenant has no such execution, or the execution no such task."""
    row = await fetchrow(connection, "feed_start", tenant=tenant_id, execution=execution_id, task=task_id)
    if row is None or (task_id is not None and row["task_id"] is None):
        return None
    return LogStart(
        row["head"],
        row["oldest"],
        max(row["oldest"], row["pruned_seq"] + 1),
        ExecutionState(row["state"]),
        row["agent_id"],
        None if task_id is None else TaskState(row["task_state"]),
    )


def _columns(known: Sequence[Known]) -> dict[str, list[object]]:
    return {
        "tenants": [one.tenant_id for one in known],
        "executions": [one.execution_id for one in known],
        "known": [one.seq for one in known],
    }
