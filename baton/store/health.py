"""Whether PostgreSQL is there, takes writes, and has the schema that this code needs."""

from functools import cache
from typing import Final

from baton.domain.errors import Unavailable
from baton.store.connecting import NOT_CONNECTED, READ_ONLY, not_connected
from baton.store.migrate import known_migrations
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval

_MOST_WAITING: Final = 500


async def check(connection: Connection) -> None:
    """Raises `Unavailable`, which says what is wrong and what helps.

    A schema newer than this code is no fault: migrations keep the code before them running.
    """
    await check_schema(connection)
    await check_writable(connection)


async def check_schema(connection: Connection) -> int:
    """How many migrations the schema is ahead of this code. Raises `Unavailable` if it is behind."""
    state = await fetchrow(connection, "server_state")
    assert state is not None
    number = (await fetchval(connection, "schema_number") or 0) if state["has_schema"] else 0
    needed = _needed()
    if number < needed:
        said = f"the database's schema is {number}, and this version of Baton needs {needed}"
        raise Unavailable(said, "schema_old" if number else "schema_missing")
    return number - needed


async def check_writable(connection: Connection) -> None:
    """Raises `Unavailable` if the server takes no writes now: it is a standby, or set so."""
    state = await fetchrow(connection, "server_state")
    assert state is not None
    if state["read_only"]:
        raise Unavailable(READ_ONLY, "database_read_only")


async def try_to_write(connection: Connection) -> None:
    """Commit something that leaves nothing behind but a few bytes in the write-ahead log.

    Raises `Unavailable` where that cannot be done: the server is a standby, or its disk is full.
    """
    try:
        await check_writable(connection)
        await fetchval(connection, "write_nothing")
    except NOT_CONNECTED as error:
        raise not_connected(error, "") from error


async def queues_with_work(connection: Connection) -> list[str]:
    """The task queues on which something waits for a worker, of all tenants; of the first few hundred such things."""
    return sorted(row["queue"] for row in await fetch(connection, "queues_with_work", limit=_MOST_WAITING))


@cache
def _needed() -> int:
    return known_migrations()[-1].number
