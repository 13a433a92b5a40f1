"""PostgreSQL: whether it lets us in and takes writes, and whether its schema is ours."""

import asyncio
from typing import Final

from baton.domain.errors import TooSlow, Unavailable
from baton.domain.health import Check, CheckStatus, failed, warning
from baton.store import health
from baton.store.connecting import NOT_CONNECTED, connect, not_connected
from baton.store.pool import Connection, Pool

_SECONDS: Final = 5.0


async def database_checks(dsn: str, pool: Pool | None = None) -> list[Check]:
    """The checks ``database`` and ``schema``, over a connection of their own, as another process would get one.

    ``pool``: the connections that this process works with. They are looked at first, and while they are good, that
    there are no new ones is a warning: the process goes on working.
    """
    if pool is None:
        return await _over_a_new_one(dsn)
    try:
        async with pool.connection() as connection:
            known = await _looked_at(connection)
    except TooSlow as error:
        known = [warning("database", "database_slow", error.message)]
    except Unavailable as error:
        known = [_of("database", error)]
    if not _is_well(known):
        return known
    new = await _over_a_new_one(dsn)
    if _is_well(new[:1]):
        return new
    return [
        warning("database", new[0].fault, f"{new[0].reason}; the connections that there are still work"),
        *known[1:],
    ]


async def _over_a_new_one(dsn: str) -> list[Check]:
    try:
        connection = await connect(dsn, _SECONDS, "baton health")
    except Unavailable as error:
        return [_of("database", error)]
    try:
        async with asyncio.timeout(_SECONDS):
            return await _looked_at(connection)
    except TimeoutError:
        return [failed("database", "database_slow", "the database does not answer in time")]
    except Unavailable as error:
        return [_of("database", error)]
    except NOT_CONNECTED as error:
        return [_of("database", not_connected(error, dsn))]
    finally:
        connection.terminate()


async def _looked_at(connection: Connection) -> list[Check]:
    server = await health.read_server(connection)
    found = Check("database")
    try:
        server.check_writable()
        await health.try_to_write(connection)
    except Unavailable as error:
        found = _of("database", error)
    try:
        ahead = server.check_schema()
    except Unavailable as error:
        return [found, _of("schema", error)]
    if ahead:
        return [found, warning("schema", "schema_new", f"the schema is {ahead} migration(s) newer than this version")]
    return [found, Check("schema")]


def _is_well(checks: list[Check]) -> bool:
    return all(check.status is not CheckStatus.FAILED for check in checks)


def _of(name: str, error: Unavailable) -> Check:
    return failed(name, error.fault or "database_refuses", error.message)
