"""The catalog of names: published by workers, and asked before a name is written."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

from baton.domain.catalog import Catalog, Judgement, Used, judged
from baton.runtime.loop import Loop
from baton.store import catalogs
from baton.store.pool import Connection, Pool

#: Several times in the time for which a catalog counts.
_RENEWED_SECONDS: Final = 60.0


class Publisher:
    """Publishes what a worker has, at once and every minute."""

    def __init__(self, pool: Pool, read: Callable[[], Catalog], queues: Collection[str]) -> None:
        """``read`` is called once, in a thread. ``queues``: the task queues that the worker serves."""
        self._pool = pool
        self._read = read
        self._queues = queues
        self._catalog: Catalog | None = None
        self._loop = Loop("catalog", _RENEWED_SECONDS, self.publish, retry_seconds=1.0, at_once=True)

    def start(self) -> None:
        """Begin to publish. Needs a running loop."""
        self._loop.start()

    async def close(self) -> None:
        """Stop. What was published counts for a while: the next worker may be about to start."""
        await self._loop.close()

    async def publish(self) -> None:
        """Publish once. Raises `Unavailable`."""
        if self._catalog is None:
            self._catalog = await asyncio.to_thread(self._read)
        async with self._pool.connection() as connection:
            await catalogs.publish(connection, self._catalog, self._queues)


async def judge(connection: Connection, used: Sequence[Used]) -> Judgement:
    """What is to be said of the names ``used``, by what workers have published."""
    return judged(await catalogs.current(connection), used) if used else Judgement()
