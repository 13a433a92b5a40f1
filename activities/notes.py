"""The notes that tools write and read."""

from baton.domain.ids import StepKey
from baton.store import notes
from baton.store.pool import Pool


class CallNotes:
    """An execution's notes, for one call of a step; what `baton.agents.tools.call.Notes` asks for."""

    def __init__(self, pool: Pool, key: StepKey, call_id: str) -> None:
        self._pool = pool
        self._key = key
        self._call_id = call_id

    async def write(self, name: str, text: str) -> bool:
        """See `baton.agents.tools.call.Notes`."""
        async with self._pool.transaction(self._key.execution_id) as connection:
            return await notes.write(connection, self._key, self._call_id, name, text)

    async def read(self) -> dict[str, str]:
        """See `baton.agents.tools.call.Notes`."""
        async with self._pool.connection() as connection:
            return await notes.read(connection, self._key.tenant_id, self._key.execution_id)
