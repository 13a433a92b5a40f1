"""What is not kept for ever: pieces of text that the log has once more, and executions that are over.

Each function is one short transaction, to be called in one, and may be the last: what is left is found again. None
waits for a sender while it holds what a sender needs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from operator import itemgetter
from typing import Final
from uuid import UUID

from baton.domain.ids import ExecutionId, TenantId
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchval

_SPACE: Final = 0x7072756E  # "prun", the first half of the advisory lock's key


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of executions ended."""

    at: datetime
    id: UUID


#: Before the first page.
FIRST: Final = Place(datetime.fromtimestamp(0, UTC), UUID(int=0))


@dataclass(frozen=True, slots=True)
class Finished:
    """An execution that is over since ``place.at``. ``over``: so is all that belongs to it."""

    place: Place
    over: bool


@dataclass(frozen=True, slots=True)
class Log:
    """An execution's log: its last event's number, up to where it was pruned, and whether more of it is ``due``."""

    place: Place
    head: int
    pruned_seq: int
    due: bool


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps that were completed after the event ``after`` and up to ``upto``. What they said follows ``first``."""

    after: int
    upto: int
    first: int


async def take_lease(connection: Connection, holder: UUID, seconds: float) -> bool:
    """Take, or renew, the right to apply what settings say for ``seconds``. Whether ``holder`` has it now."""
    return bool(await fetchval(connection, "only_pruner", holder=holder, seconds=seconds))


async def give_lease_back(connection: Connection, holder: UUID) -> None:
    """Let somebody else prune now."""
    await execute(connection, "give_pruner_lease_back", holder=holder)


async def tenants(connection: Connection, name: str | None = None) -> list[tuple[TenantId, str]]:
    """All tenants with their names, or the one of that ``name``."""
    return [(row["id"], row["name"]) for row in await fetch(connection, "tenants_to_prune", tenant_name=name)]


async def alone(connection: Connection, tenant_id: TenantId) -> bool:
    """Whether nobody else prunes this tenant until the transaction ends: two would wait for each other."""
    return await fetchval(connection, "prune_tenant_alone", space=_SPACE, tenant=tenant_id)


async def finished(
    connection: Connection, tenant_id: TenantId, before: datetime, since: Place, limit: int
) -> list[Finished]:
    """Up to ``limit`` executions that were over ``before`` a time, the longest first, ``since`` the page before."""
    rows = await fetch(
        connection, "page_finished", tenant=tenant_id, over_before=before, since=since.at, beyond=since.id, limit=limit
    )
    return [Finished(Place(row["completed_at"], row["id"]), row["over"]) for row in rows]


async def remove_finished(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, before: datetime, limit: int
) -> tuple[int, bool]:
    """Remove an execution that is over since ``before`` a time, with all that belongs to it: the beginning of its log
    alone where that has more than ``limit`` events. How many events were removed, and whether it is gone.

    (0, False) where somebody is at it, or it is not over any more: both are judged under its lock.
    """
    if not await fetchval(connection, "lock_if_free", tenant=tenant_id, execution=execution_id):
        return 0, False
    if not await is_over(connection, tenant_id, execution_id, before):
        return 0, False
    removed = await fetchval(connection, "remove_oldest_events", tenant=tenant_id, execution=execution_id, limit=limit)
    if removed == limit:
        return removed, False
    await execute(connection, "remove_execution", tenant=tenant_id, execution=execution_id)
    return removed, True


async def is_over(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, before: datetime) -> bool:
    """Whether an execution, and all that belongs to it, is over since ``before`` a time."""
    return bool(
        await fetchval(connection, "is_over_for_good", tenant=tenant_id, execution=execution_id, over_before=before)
    )


async def count_events(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> int:
    """How many events a log has."""
    return await fetchval(connection, "count_events", tenant=tenant_id, execution=execution_id)


async def logs(connection: Connection, tenant_id: TenantId, before: datetime, since: Place, limit: int) -> list[Log]:
    """Up to ``limit`` logs that began ``before`` a time, the oldest first, ``since`` the page before."""
    rows = await fetch(
        connection, "page_logs", tenant=tenant_id, old_before=before, since=since.at, beyond=since.id, limit=limit
    )
    return [Log(Place(row["created_at"], row["id"]), row["event_seq"], row["pruned_seq"], row["due"]) for row in rows]


async def completed_steps(
    connection: Connection, tenant_id: TenantId, log: Log, after: int, before: datetime, limit: int
) -> Steps | None:
    """The next steps that were completed after an event, and ``before`` a time: as many as ``limit`` events hold, but
    one at least. None where there is none."""
    while after < log.head:
        rows = await fetch(
            connection,
            "completed_steps",
            tenant=tenant_id,
            execution=log.place.id,
            after=after,
            upto=after + limit,
            old_before=before,
        )
        old = list(takewhile(itemgetter("is_old"), rows))
        if old:
            return Steps(after, old[-1]["seq"], min(row["first_event"] for row in old))
        if rows:
            return None
        after += limit
    return None


async def remove_deltas(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, steps: Steps) -> int:
    """Remove the pieces of what ``steps`` said. Returns how many. The execution's row is locked from here to the
    commit, if there were any."""
    names = {"tenant": tenant_id, "execution": execution_id, "upto": steps.upto}
    removed = await fetchval(connection, "remove_deltas", **names, after=steps.after, said_after=steps.first)
    if removed:
        await execute(connection, "note_pruned", **names)
    return removed


async def count_deltas(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, steps: Steps) -> int:
    """How many pieces `remove_deltas` would remove."""
    return await fetchval(
        connection,
        "count_deltas",
        tenant=tenant_id,
        execution=execution_id,
        upto=steps.upto,
        after=steps.after,
        said_after=steps.first,
    )


async def note_seen(connection: Connection, tenant_id: TenantId, log: Log, before: datetime) -> None:
    """Note that a log has nothing more to prune up to ``log.head``, unless some of that happened not ``before`` a
    time."""
    await execute(
        connection, "note_prune_seen", tenant=tenant_id, execution=log.place.id, head=log.head, old_before=before
    )
