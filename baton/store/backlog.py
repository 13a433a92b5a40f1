"""What waits in PostgreSQL, of all tenants together or by tenant: what metrics show of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from baton.domain.states import MessageState, TaskState
from baton.store.pool import Connection
from baton.store.queries import fetch

#: So many messages, tasks and plans are looked at; there may be more.
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Unprocessed:
    """How many messages are in a state, with their task in one, and for how long the oldest. ``age``: which of the
    ages that were asked for is the highest that they have reached, from 1. ``tenant_id``: None for all."""

    state: MessageState
    task_state: TaskState
    tenant_id: UUID | None
    age: int
    number: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class WaitingTasks:
    """How many tasks wait. See `Unprocessed`."""

    tenant_id: UUID | None
    age: int
    number: int


@dataclass(frozen=True, slots=True)
class UnheardRings:
    """How many workflows of a queue were rung in vain, and for how long the oldest of them. ``lag_seconds``: for how
    long the relay owes a ring; less than 0 where it owes none. ``is_served``: a worker has ever served the queue."""

    queue: str
    number: int
    oldest_seconds: float
    lag_seconds: float
    is_served: bool


async def unprocessed(connection: Connection, ages: Sequence[float], *, by_tenant: bool) -> list[Unprocessed]:
    """The messages that no turn has processed, the oldest `MOST` of them. ``ages`` in seconds, from 0 on."""
    rows = await fetch(connection, "count_unprocessed", ages=ages, by_tenant=by_tenant, most=MOST)
    return [
        Unprocessed(
            MessageState(row["state"]),
            TaskState(row["task_state"]),
            row["tenant_id"],
            row["age"],
            row["number"],
            row["oldest_seconds"],
        )
        for row in rows
    ]


async def waiting(connection: Connection, ages: Sequence[float], *, by_tenant: bool) -> list[WaitingTasks]:
    """The tasks that wait for people."""
    rows = await fetch(connection, "count_waiting", ages=ages, by_tenant=by_tenant)
    return [WaitingTasks(row["tenant_id"], row["age"], row["number"]) for row in rows]


async def unheard(connection: Connection) -> list[UnheardRings]:
    """What was rung, or is to be, and has not been taken up, of `MOST` tasks and plans each."""
    rows = await fetch(connection, "count_unheard", most=MOST)
    return [
        UnheardRings(
            row["queue"], row["number"], row["oldest_seconds"] or 0.0, row["lag_seconds"], is_served=row["is_served"]
        )
        for row in rows
    ]
