"""Applies the settings that say how long things are kept: one worker at a time does so."""

import logging
from typing import Final
from uuid import uuid4

from baton.domain.errors import Unavailable
from baton.runtime.loop import Loop
from baton.service.pruning import Keep, Pruned, Pruner
from baton.store import pruning
from baton.store.pool import Pool

_log = logging.getLogger(__name__)

#: Who prunes renews its lease after each batch; another worker goes on where it has not for so long.
_LEASE_SECONDS: Final = 120.0


class Retention:
    """Prunes all tenants every ``interval_seconds``, as far as ``keep`` says; never, where that is for ever."""

    def __init__(self, pool: Pool, keep: Keep, *, interval_seconds: float = 300.0) -> None:
        self._pool = pool
        self._keep = keep
        self._holder = uuid4()
        self.loop = Loop("retention", interval_seconds, self.apply)

    def start(self) -> None:
        """Begin, if anything is not kept for ever. Needs a running loop."""
        if self._keep != Keep():
            self.loop.start()

    async def close(self) -> None:
        """Stop, and let another worker go on at once."""
        await self.loop.close()
        if self._keep == Keep():
            return
        try:
            async with self._pool.connection() as connection:
                await pruning.give_lease_back(connection, self._holder)
        except Unavailable as error:
            _log.warning("could not release the lease of the retention, it will expire: %s", error)

    async def apply(self) -> None:
        """Remove what is too old, unless another worker has the lease. Raises `Unavailable`."""
        if not await self._leads():
            return
        pruner = Pruner(self._pool, self._keep)
        async with self._pool.connection() as connection:
            tenants = await pruning.tenants(connection)
        for tenant_id, _ in tenants:
            total = Pruned()
            async for pruned in pruner.prune(tenant_id):
                total += pruned
                if not await self._leads():
                    return
            if total != Pruned():
                _log.info("removed of tenant %s what was too old: %s", tenant_id, total)

    async def _leads(self) -> bool:
        async with self._pool.connection() as connection:
            return await pruning.take_lease(connection, self._holder, _LEASE_SECONDS)
