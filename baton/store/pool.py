"""Connections to PostgreSQL. Driver errors are translated here, where they enter."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from baton.domain.errors import TooSlow, Unavailable
from baton.domain.ids import ExecutionId
from baton.metrics.series import DATABASE_FAILURES, POOL_WAITS
from baton.runtime.shares import Shares
from baton.store.connecting import AWAY, NOT_CONNECTED, SLOW, not_connected, unfitness

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

#: Whose share connections are taken from: the tenant that what runs now is done for; None for the process itself.
spending: ContextVar[UUID | None] = ContextVar("spending", default=None)

#: One connection may wait for an execution's row while another has it. More would only wait there, too.
_PER_EXECUTION: Final = 2


class Pool:
    """A pool of connections to one database.

    `connection` and `transaction` raise `Unavailable` while PostgreSQL is away or not ours to use, `TooSlow`, a kind of
    it, where it is slower than the time limits; a transaction that raised either may or may not have been committed,
    so what runs in it must be idempotent.

    Tenants have shares of the connections (see `spending`). ``execution_id``: whose row is locked with the connection.
    All rows of an execution are locked through its own, which may take its time; who waits for it in line waits here,
    and keeps no connection from others.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", acquire_seconds: float) -> None:
        self._pool = pool
        self._acquire_seconds = acquire_seconds
        self._shares = Shares(pool.get_max_size(), per_part=_PER_EXECUTION)

    def connection(self, execution_id: ExecutionId | None = None) -> "_Lease":
        """A connection in autocommit: each statement is a transaction of its own. An asynchronous context manager."""
        return _Lease(self, spending.get(), execution_id)

    @property
    def max_size(self) -> int:
        """How many connections there may be."""
        return self._pool.get_max_size()

    @property
    def in_use(self) -> int:
        """How many are in use."""
        return self._shares.taken

    @property
    def idle(self) -> int:
        """How many are open and not in use."""
        return self._pool.get_idle_size()

    async def take(self, tenant_id: UUID | None, execution_id: ExecutionId | None) -> None:
        """Take a place of a tenant's share. Raises `TooSlow`, and `Unavailable` where too many wait."""
        if self._shares.take(tenant_id, execution_id):
            return
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._acquire_seconds):
                await self._shares.wait(tenant_id, execution_id)
        except TimeoutError as error:
            DATABASE_FAILURES.labels("no_connection").inc()
            raise TooSlow("the database did not answer in time: too many others wait") from error
        finally:
            POOL_WAITS.observe(time.perf_counter() - began)

    def give_back(self, tenant_id: UUID | None, execution_id: ExecutionId | None) -> None:
        """Give a place back."""
        self._shares.back(tenant_id, execution_id)

    async def driver_connection(self) -> "PoolConnectionProxy[asyncpg.Record]":
        """A connection of the driver's pool, which has one for each place."""
        # One that is there is had at once; a limit to that would cost as much as all the rest.
        seconds = None if self._pool.get_idle_size() else self._acquire_seconds
        return await self._pool.acquire(timeout=seconds)

    async def driver_release(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        """Give a connection back to the driver's pool."""
        await self._pool.release(connection, timeout=self._acquire_seconds)

    async def meaning(self, error: Exception) -> Unavailable | None:
        """What a driver's error says of the database; None for one that is about what was asked of it."""
        if isinstance(error, SLOW):
            DATABASE_FAILURES.labels("slow").inc()
            return TooSlow("the database did not answer in time", "database_slow")
        if isinstance(error, AWAY):
            DATABASE_FAILURES.labels("away").inc()
            return Unavailable("the database cannot be reached", "database_away")
        if (unfit := unfitness(error)) is not None:
            DATABASE_FAILURES.labels("unfit").inc()
            await self._pool.expire_connections()
            return unfit
        if isinstance(error, asyncpg.InterfaceError) and self._pool.is_closing():
            return Unavailable("the connections to the database are being closed")
        return None

    @asynccontextmanager
    async def transaction(self, execution_id: ExecutionId | None = None) -> AsyncGenerator[Connection]:
        """A connection in a transaction (READ COMMITTED), committed at the end of the block."""
        async with self.connection(execution_id) as connection, connection.transaction():
            yield connection

    async def close(self) -> None:
        """Close all connections; those in use are waited for, a few seconds at most."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


class _Lease:
    """A connection for as long as a block runs. A class, because each request goes through it: two generators cost
    twice as much as all else that is done here."""

    __slots__ = ("_connection", "_execution_id", "_pool", "_tenant_id")

    def __init__(self, pool: Pool, tenant_id: UUID | None, execution_id: ExecutionId | None) -> None:
        self._pool = pool
        self._tenant_id = tenant_id
        self._execution_id = execution_id
        self._connection: PoolConnectionProxy[asyncpg.Record] | None = None

    async def __aenter__(self) -> Connection:
        pool = self._pool
        await pool.take(self._tenant_id, self._execution_id)
        try:
            self._connection = connection = await pool.driver_connection()
        except BaseException as error:
            pool.give_back(self._tenant_id, self._execution_id)
            if isinstance(error, Exception) and (meant := await pool.meaning(error)) is not None:
                raise meant from error
            raise
        return connection

    async def __aexit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        pool, connection = self._pool, self._connection
        assert connection is not None
        # Misuse, a wrong number of arguments say, unless there is no connection any more to be misused.
        was_lost = isinstance(error, asyncpg.InterfaceError) and _is_lost(connection)
        try:
            await pool.driver_release(connection)
        except Exception as not_released:
            if (meant := await pool.meaning(not_released)) is not None:
                raise meant from not_released
            raise
        finally:
            pool.give_back(self._tenant_id, self._execution_id)
        if was_lost:
            DATABASE_FAILURES.labels("away").inc()
            raise Unavailable("the connection to the database was lost") from error
        if isinstance(error, Exception) and (meant := await pool.meaning(error)) is not None:
            raise meant from error


def _is_lost(connection: "PoolConnectionProxy[asyncpg.Record]") -> bool:
    """Whether a connection that is still held is none any more; the pool takes one back whose end it has seen."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def open_pool(
    dsn: str,
    *,
    min_size: int = 2,
    max_size: int = 16,
    acquire_seconds: float = 5.0,
    statement_seconds: float = 10.0,
    application: str = "baton",
) -> Pool:
    """Open a pool. Raises `Unavailable` if the first connections cannot be made."""
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            init=prepare_connection,
            # No session state is ever changed, so nothing needs a round trip to be reset.
            reset=_leave_as_it_is,
            command_timeout=statement_seconds,
            timeout=acquire_seconds,
            max_inactive_connection_lifetime=0,
            server_settings={"application_name": application, "jit": "off"},
        )
    except NOT_CONNECTED as error:
        raise not_connected(error, dsn) from error
    return Pool(pool, acquire_seconds)


async def prepare_connection(connection: Connection) -> None:
    """Give a connection Baton's codecs: jsonb is Python data."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_dump, decoder=orjson.loads)


async def _leave_as_it_is(connection: Connection) -> None:
    return None


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()
