"""Why PostgreSQL cannot be reached or used: driver errors in words, without any part of the URL."""

import os
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from baton.domain.errors import TooSlow, Unavailable

#: The files that libpq's URLs, and variables, may name.
_FILES: Final = {"sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}

#: What asyncpg raises when no connection comes free, or a statement does not end, within the time limits.
SLOW: Final = (TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)

#: What asyncpg raises when the server is away, starting, shutting down or out of connections, or too slow.
AWAY: Final = (
    OSError,
    *SLOW,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # a connection whose end was just being read ("another operation is in progress")
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DeadlockDetectedError,
)

#: The oldest PostgreSQL whose SQL ours is.
OLDEST: Final = 15

_OTHER_SCHEMA: Final = "the database's schema is not the one that this version needs"
READ_ONLY: Final = "the database is read-only: it may be a standby, or fail over right now"

#: What asyncpg raises when the server is up but not ours to use, and what an operator reads then. Connections are
#: thrown away: the next ones may find a server that is.
_UNFIT: Final[tuple[tuple[type[asyncpg.PostgresError], str, str], ...]] = (
    (asyncpg.ReadOnlySQLTransactionError, "database_read_only", READ_ONLY),
    (asyncpg.InvalidPasswordError, "database_password", "the database refuses this user or its password"),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "database_no_entry",
        "the database refuses this user or its password, or connections such as this one",
    ),
    (asyncpg.InvalidCatalogNameError, "database_unknown", "the server has no such database"),
    (asyncpg.DiskFullError, "database_full", "the database's disk is full"),
    (asyncpg.InsufficientResourcesError, "database_refuses", "the database has run out of a resource"),
    (asyncpg.InsufficientPrivilegeError, "database_privilege", "the database user lacks a privilege"),
    (asyncpg.UndefinedTableError, "schema_old", _OTHER_SCHEMA),
    (asyncpg.UndefinedColumnError, "schema_old", _OTHER_SCHEMA),
    (asyncpg.UndefinedFunctionError, "schema_old", _OTHER_SCHEMA),
    (asyncpg.InvalidCachedStatementError, "", "the database's schema has just changed"),
)

#: What asyncpg, and what it calls, raises where no connection can be made.
NOT_CONNECTED: Final = (*AWAY, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError)


def unfitness(error: Exception) -> Unavailable | None:
    """What an error says of a server that is up but not ours to use; None for one that says nothing of the kind."""
    return next((Unavailable(reason, fault) for kind, fault, reason in _UNFIT if isinstance(error, kind)), None)


def not_connected(error: Exception, dsn: str) -> Unavailable:
    """What an error in connecting to ``dsn``, one of `NOT_CONNECTED`, means."""
    match error:
        case asyncpg.TooManyConnectionsError():
            return Unavailable("the database has no connection left for this user", "database_connections")
        case asyncpg.CannotConnectNowError():
            return Unavailable("the database is starting, or shutting down", "database_away")
        case asyncpg.PostgresError():
            refused = f"the database refuses connections ({type(error).__name__})"
            return unfitness(error) or Unavailable(refused, "database_refuses")
        case ssl.SSLError():
            return Unavailable("the database's certificate is not trusted", "database_certificate")
        case ValueError():  # asyncpg's own is one; its words repeat what it could not read
            return Unavailable("DATABASE_URL cannot be read", "dsn_invalid")
        case _:
            return _away(error, dsn)


def check_version(connection: "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]") -> None:
    """Raises `Unavailable` if the server is too old. Asks it nothing: it said so as the connection was made."""
    version = connection.get_server_version()
    if version.major < OLDEST:
        said = f"the server is PostgreSQL {version.major}.{version.minor}, and Baton needs {OLDEST} or newer"
        raise Unavailable(said, "database_old")


async def connect(dsn: str, seconds: float, application: str) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection, made within ``seconds``. Raises `Unavailable`."""
    try:
        return await asyncpg.connect(dsn, timeout=seconds, server_settings={"application_name": application})
    except NOT_CONNECTED as error:
        raise not_connected(error, dsn) from error


def _away(error: Exception, dsn: str) -> Unavailable:
    if isinstance(error, FileNotFoundError) and (missing := _missing_file(dsn)):
        return Unavailable(f"DATABASE_URL's {missing} names a file that is not there", "certificate_missing")
    if isinstance(error, SLOW):
        return TooSlow("the database does not answer in time", "database_slow")
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error):
        return Unavailable("DATABASE_URL asks for TLS, and the database has none", "database_without_tls")
    return Unavailable("the database cannot be reached", "database_away")


def _missing_file(dsn: str) -> str | None:
    named = parse_qs(urlsplit(dsn).query)
    for parameter, variable in _FILES.items():
        path = next(iter(named.get(parameter, ())), None) or os.environ.get(variable)
        if path and path != "system" and not Path(path).expanduser().is_file():
            return parameter
    return None
