"""Prunes what is older than it is to be kept: an operator's command does so, and a worker by its settings.

A batch is a transaction of its own, with a pause behind it that is no shorter than the batch was. It may end after any:
what is left is found again.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from baton.domain.errors import NotFound
from baton.domain.ids import TenantId
from baton.metrics.series import PRUNED
from baton.store import pruning, starts
from baton.store.pool import Pool
from baton.store.pruning import FIRST, Log

#: Executions that are looked at in one statement.
_PAGE: Final = 500
#: What was started under an Idempotency-Key is named by it for so long.
STARTS_KEPT: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long to keep the pieces of finished steps' text, and executions that are over; None: for ever.

    Raises ValueError for less than no time, and for executions that an Idempotency-Key may still name.
    """

    deltas: timedelta | None = None
    executions: timedelta | None = None

    def __post_init__(self) -> None:
        if self.executions is not None and self.executions < STARTS_KEPT:
            raise ValueError("executions are kept for a day at least: repeated starts are told of them")
        if self.deltas is not None and self.deltas < timedelta():
            raise ValueError("an age is not negative")


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was removed: executions with the events of their logs, and deltas of others."""

    executions: int = 0
    events: int = 0
    deltas: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(self.executions + other.executions, self.events + other.events, self.deltas + other.deltas)

    def __str__(self) -> str:
        return f"{self.executions} executions with {self.events} events, and {self.deltas} deltas of others"


@dataclass(frozen=True, slots=True)
class Pruner:
    """Prunes tenants, ``batch`` events at a time. ``dry_run``: only counts what it would remove.

    ``pause_seconds``: between two batches at least.
    """

    pool: Pool
    keep: Keep
    batch: int = 1000
    pause_seconds: float = 0.05
    dry_run: bool = False

    async def prune(self, tenant_id: TenantId) -> AsyncGenerator[Pruned]:
        """Remove what is too old of a tenant: after each batch, how much that was. Ends early where somebody else
        prunes the tenant. Raises `Unavailable`."""
        now = datetime.now(UTC)
        if self.keep.executions is not None:
            async for pruned in self._executions(tenant_id, now - self.keep.executions):
                yield pruned
        if self.keep.deltas is not None:
            gone_before = None if self.keep.executions is None else now - self.keep.executions
            async for pruned in self._deltas(tenant_id, now - self.keep.deltas, gone_before):
                yield pruned

    async def _executions(self, tenant_id: TenantId, before: datetime) -> AsyncGenerator[Pruned]:
        await self._forget_starts()
        page, place = [None], FIRST
        while page:
            async with self.pool.connection() as connection:
                page = await pruning.finished(connection, tenant_id, before, place, _PAGE)
            for one in page:
                place = one.place
                if not one.over:
                    continue
                if self.dry_run:
                    async with self.pool.connection() as connection:
                        yield Pruned(1, await pruning.count_events(connection, tenant_id, place.id))
                    continue
                more = True
                while more:
                    began = time.monotonic()
                    async with self.pool.transaction() as connection:
                        if not await pruning.alone(connection, tenant_id):
                            return
                        events, gone = await pruning.remove_finished(
                            connection, tenant_id, place.id, before, self.batch
                        )
                    more = events > 0 and not gone
                    yield _counted(Pruned(int(gone), events))
                    await self._pause(began)

    async def _deltas(
        self, tenant_id: TenantId, before: datetime, gone_before: datetime | None
    ) -> AsyncGenerator[Pruned]:
        """``gone_before``: executions that are over since then are counted as a whole where nothing is removed."""
        page, place = [None], FIRST
        while page:
            async with self.pool.connection() as connection:
                page = await pruning.logs(connection, tenant_id, before, place, _PAGE)
            for log in page:
                place = log.place
                if not log.due:
                    continue
                if self.dry_run and gone_before is not None:
                    async with self.pool.connection() as connection:
                        if await pruning.is_over(connection, tenant_id, place.id, gone_before):
                            continue
                async for pruned in self._deltas_of(tenant_id, log, before):
                    if pruned is None:
                        return
                    yield pruned

    async def _deltas_of(self, tenant_id: TenantId, log: Log, before: datetime) -> AsyncGenerator[Pruned | None]:
        """None where somebody else prunes the tenant."""
        after = log.pruned_seq
        while True:
            began = time.monotonic()
            async with self.pool.transaction() as connection:
                if not self.dry_run and not await pruning.alone(connection, tenant_id):
                    yield None
                    return
                steps = await pruning.completed_steps(connection, tenant_id, log, after, before, self.batch)
                if steps is None:
                    if not self.dry_run:
                        await pruning.note_seen(connection, tenant_id, log, before)
                    return
                work = pruning.count_deltas if self.dry_run else pruning.remove_deltas
                deltas = await work(connection, tenant_id, log.place.id, steps)
            after = steps.upto
            if deltas:
                pruned = Pruned(deltas=deltas)
                yield pruned if self.dry_run else _counted(pruned)
                await self._pause(began)

    async def _forget_starts(self) -> None:
        """Idempotency-Keys must name no execution that is gone."""
        forgotten = 0 if self.dry_run else self.batch
        while forgotten == self.batch:
            async with self.pool.connection() as connection:
                forgotten = await starts.expire(connection, STARTS_KEPT.total_seconds(), self.batch)

    async def _pause(self, began: float) -> None:
        if not self.dry_run:
            await asyncio.sleep(max(self.pause_seconds, time.monotonic() - began))


async def prune_tenants(pruner: Pruner, name: str | None) -> AsyncGenerator[tuple[str, str]]:
    """Prune all tenants, or the one of that ``name``: of each its name, and in words what was removed.

    Raises `NotFound`, and `Unavailable`.
    """
    async with pruner.pool.connection() as connection:
        tenants = await pruning.tenants(connection, name)
    if name is not None and not tenants:
        raise NotFound(f"there is no tenant {name!r}")
    for tenant_id, tenant in tenants:
        total = Pruned()
        async for pruned in pruner.prune(tenant_id):
            total += pruned
        verb = "would remove" if pruner.dry_run else "removed"
        yield tenant, f"{verb} {total}"


def _counted(pruned: Pruned) -> Pruned:
    PRUNED.labels("executions").inc(pruned.executions)
    PRUNED.labels("events").inc(pruned.events)
    PRUNED.labels("deltas").inc(pruned.deltas)
    return pruned
