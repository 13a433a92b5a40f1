"""When keys were last used: gathered in memory, written now and then in one statement. No request waits for that."""

import asyncio
import logging
from typing import Final
from uuid import UUID

from baton.domain.errors import Unavailable
from baton.domain.ids import TenantId
from baton.runtime.loop import Loop
from baton.store import keys
from baton.store.pool import Pool

#: How late the database may be.
_WRITE_SECONDS: Final = 10.0
#: How long the end of the process waits for the last of it.
_CLOSE_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


class LastUses:
    """Notes which keys are in use. What was noted and not written when the process dies is lost: it is a hint."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._used: set[tuple[TenantId, UUID]] = set()
        self._loop = Loop("last uses of keys", _WRITE_SECONDS, self.write)

    def start(self) -> None:
        """Begin to write. Needs a running loop."""
        self._loop.start()

    async def close(self) -> None:
        """Stop, and write what is left, if PostgreSQL is there."""
        await self._loop.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.write()
        except (Unavailable, TimeoutError):
            _log.warning("could not record the last use of %d keys: PostgreSQL cannot be reached", len(self._used))

    def note(self, key: tuple[TenantId, UUID]) -> None:
        """A key, by tenant and id, was used just now."""
        self._used.add(key)

    async def write(self) -> None:
        """Write what was noted; it stays noted where that raises. `Unavailable` while PostgreSQL is away."""
        used, self._used = self._used, set()
        if not used:
            return
        try:
            async with self._pool.connection() as connection:
                await keys.note_uses(connection, used)
        except BaseException:
            self._used |= used
            raise
