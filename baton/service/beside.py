"""Commands of whoever runs Baton, beside the database, with neither the API nor a key."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from baton.domain.errors import DomainError
from baton.runtime.startup import settings_or_exit
from baton.store.pool import Pool, open_pool

T = TypeVar("T")


def run_beside(application: str, command: Callable[[Pool], Awaitable[T]]) -> T:
    """What ``command`` gives for a pool of connections; an error ends the process, with one line on stderr."""

    async def connected() -> T:
        try:
            pool = await open_pool(settings_or_exit().dsn, min_size=0, max_size=1, application=application)
            try:
                return await command(pool)
            finally:
                await pool.close()
        except DomainError as error:
            raise SystemExit(f"baton: {error.message}") from error

    return asyncio.run(connected())
