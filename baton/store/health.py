"""Whether PostgreSQL is there, takes writes, and has the schema that this code needs."""

from functools import cache

from baton.domain.errors import Unavailable
from baton.store.migrate import known_migrations
from baton.store.pool import Connection
from baton.store.queries import fetchrow, fetchval


async def check(connection: Connection) -> None:
    """Raises `Unavailable`, which says what is wrong and what helps.

    A schema newer than this code is no fault: migrations keep the code before them running.
    """
    state = await fetchrow(connection, "server_state")
    assert state is not None
    number = (await fetchval(connection, "schema_number") or 0) if state["has_schema"] else 0
    needed = _needed()
    if number < needed:
        raise Unavailable(
            f"the database's schema is {number}, and this version of Baton needs {needed}: run `baton migrate`"
        )
    if state["read_only"]:
        raise Unavailable("the database is read-only: it may be a standby, or fail over right now")


@cache
def _needed() -> int:
    return known_migrations()[-1].number
