"""When keys were last used: gathered in memory, written now and then in one statement. No request waits for that."""

import asyncio
import contextlib
import logging
from typing import Final
from uuid import UUID

from baton.domain.errors import Unavailable
from baton.domain.faults import whereabouts
from baton.domain.ids import TenantId
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
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write. Needs a running loop."""
        self._task = asyncio.create_task(self._run(), name="last uses of keys")

    async def close(self) -> None:
        """Write what is left, if PostgreSQL is there, and stop."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self.write()

    def note(self, key: tuple[TenantId, UUID]) -> None:
        """A key, by tenant and id, was used just now."""
        self._used.add(key)

    async def write(self) -> None:
        """Write what was noted; it stays noted while PostgreSQL is away."""
        used, self._used = self._used, set()
        if not used:
            return
        try:
            async with self._pool.connection() as connection:
                await keys.note_uses(connection, used)
        except Unavailable:
            self._used |= used
            _log.warning("when keys were last used is written later: the database cannot be reached")
        except BaseException:
            self._used |= used
            raise

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            try:
                await self.write()
            except Exception as error:  # noqa: BLE001 the edge of a background task: nobody else would hear of it
                _log.error("when keys were last used could not be written: %s", whereabouts(error))
