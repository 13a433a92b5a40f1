"""Whether PostgreSQL is there, takes writes, and has the schema that this code needs."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from baton.domain.errors import Unavailable
from baton.store.connecting import NOT_CONNECTED, READ_ONLY, check_version, not_connected
from baton.store.migrate import known_migrations
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval

_MOST_WAITING: Final = 500


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a server says of itself. ``schema``: the last migration that ran there; 0 where none has."""

    read_only: bool
    schema: int

    def check_schema(self) -> int:
        """How many migrations the schema is ahead of this code. Raises `Unavailable` if it is behind.

        One that is newer than this code is no fault: migrations keep the code before them running.
        """
        needed = _needed()
        if self.schema < needed:
            said = f"the database's schema is {self.schema}, and this version of Baton needs {needed}"
            raise Unavailable(said, "schema_old" if self.schema else "schema_missing")
        return self.schema - needed

    def check_writable(self) -> None:
        """Raises `Unavailable` if the server takes no writes now: it is a standby, or set so."""
        if self.read_only:
            raise Unavailable(READ_ONLY, "database_read_only")


async def read_server(connection: Connection) -> ServerState:
    """Ask the server what it is. Raises `Unavailable` if it is too old."""
    check_version(connection)
    state = await fetchrow(connection, "server_state")
    assert state is not None
    number = await fetchval(connection, "schema_number") if state["has_schema"] else None
    return ServerState(state["read_only"], number or 0)


async def check(connection: Connection) -> None:
    """Raises `Unavailable`, which says what is wrong and what helps."""
    server = await read_server(connection)
    server.check_schema()
    server.check_writable()


async def try_to_write(connection: Connection) -> None:
    """Commit something that leaves nothing behind but a few bytes in the write-ahead log.

    Raises `Unavailable` where that cannot be done: its disk is full, say.
    """
    try:
        await fetchval(connection, "write_nothing")
    except NOT_CONNECTED as error:
        raise not_connected(error, "") from error


async def queues_with_work(connection: Connection) -> list[str]:
    """The task queues on which something waits for a worker, of all tenants; of the first few hundred such things."""
    return sorted(row["queue"] for row in await fetch(connection, "queues_with_work", limit=_MOST_WAITING))


@cache
def _needed() -> int:
    return known_migrations()[-1].number
