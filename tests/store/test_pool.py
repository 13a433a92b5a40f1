"""Is PostgreSQL being slow told from PostgreSQL being away, and both from asking it the wrong thing?"""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from baton.domain.errors import TooSlow, Unavailable
from baton.store.pool import open_pool, spending
from tests.store.world import World


async def test_a_statement_over_its_time_is_too_slow(database_url: str) -> None:
    pool = await open_pool(database_url, min_size=1, max_size=1, statement_seconds=0.2)
    with pytest.raises(TooSlow):
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_sleep(60)")
    await pool.close()


async def test_no_connection_in_time_is_too_slow(database_url: str) -> None:
    pool = await open_pool(database_url, min_size=1, max_size=1, acquire_seconds=0.2)
    async with pool.connection():
        with pytest.raises(TooSlow):
            async with pool.connection():
                pass
    await pool.close()


async def test_a_lock_that_is_not_had_in_time_is_too_slow(database_url: str) -> None:
    pool = await open_pool(database_url, min_size=2, max_size=2)
    async with pool.transaction() as holder:
        await holder.execute("LOCK TABLE tenants")
        with pytest.raises(TooSlow):
            async with pool.transaction() as connection:
                await connection.execute("SET LOCAL lock_timeout = '50ms'; LOCK TABLE tenants")
    await pool.close()


async def test_a_server_that_is_away_is_not_slow() -> None:
    with pytest.raises(Unavailable) as caught:
        await open_pool("postgresql://nobody@127.0.0.1:9/nothing")
    assert not isinstance(caught.value, TooSlow)


async def test_misuse_is_a_bug_not_an_outage(world: World) -> None:
    with pytest.raises(asyncpg.InterfaceError):
        async with world.pool.connection() as connection:
            await connection.fetchval("SELECT $1::int")
    async with world.pool.connection() as connection:
        kept = connection
    with pytest.raises(asyncpg.InterfaceError):
        async with world.pool.connection():
            await kept.fetchval("SELECT 1")


async def test_a_killed_connection_is_an_outage(world: World) -> None:
    with pytest.raises(Unavailable):
        async with world.pool.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(Unavailable):
        await ask_after_its_end(world)


async def ask_after_its_end(world: World) -> None:
    async with world.pool.connection() as connection:
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        await connection.fetchval("SELECT 1")


async def test_a_closed_pool_is_an_outage(database_url: str) -> None:
    pool = await open_pool(database_url, min_size=0)
    await pool.close()
    with pytest.raises(Unavailable):
        async with pool.connection():
            pass


async def test_a_server_that_turned_read_only_is_left_for_one_that_is_not(database_url: str) -> None:
    """As after a failover: whoever answers at the address may be a standby now, and a primary at the next look."""
    name = database_url.split("@/")[1].split("?")[0]
    operator = await asyncpg.connect(database_url)
    await operator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    pool = await open_pool(database_url, min_size=1, max_size=1)
    await operator.execute("SET default_transaction_read_only = off")
    await operator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await operator.close()
    insert = "INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'acme')"
    with pytest.raises(Unavailable, match="read-only"):
        async with pool.connection() as connection:
            await connection.execute(insert)
    async with pool.connection() as connection:
        await connection.execute(insert)
    await pool.close()


@pytest.mark.parametrize(
    ("dsn", "said"),
    [("postgresql://stranger@", "refuses this user"), ("postgresql://baton@/nowhere", "no such database")],
)
async def test_a_server_that_lets_us_not_in_is_unavailable(database_url: str, dsn: str, said: str) -> None:
    rest = database_url.partition("@")[2]
    given = f"{dsn}{rest}" if dsn.endswith("@") else f"{dsn}?{rest.partition('?')[2]}"
    with pytest.raises(Unavailable, match=said):
        await open_pool(given)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DO $$BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END$$", "disk is full"),
        ("SELECT newer_column FROM tasks", "run `baton migrate`"),
        ("SELECT * FROM newer_table", "run `baton migrate`"),
        ("SET ROLE pg_read_all_data; DELETE FROM tasks", "lacks a privilege"),
    ],
)
async def test_a_server_that_cannot_do_its_work_is_unavailable(database_url: str, statement: str, said: str) -> None:
    pool = await open_pool(database_url, min_size=1, max_size=1)
    with pytest.raises(Unavailable, match=said):
        async with pool.transaction() as connection:
            await connection.execute(statement)
    async with pool.connection() as connection:  # a new one: nothing of the old one's state is left
        assert await connection.fetchval("SELECT current_user") != "pg_read_all_data"
    await pool.close()


async def test_waiting_for_one_executions_row_keeps_no_connection_from_others(database_url: str) -> None:
    """41 requests to one execution whose row is locked: another of the same tenant, and another tenant, get theirs."""
    pool = await open_pool(database_url, max_size=8, acquire_seconds=20)
    locked, mine, others = uuid4(), uuid4(), uuid4()

    async def change() -> None:
        async with pool.transaction(locked) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(1)")

    async def look(tenant: UUID, execution: UUID | None) -> None:
        spending.set(tenant)
        async with asyncio.timeout(5), pool.connection(execution) as connection:
            await connection.execute("SELECT 1")

    async with pool.connection() as holder:
        await holder.execute("SELECT pg_advisory_lock(1)")
        spending.set(mine)
        waiting = [asyncio.create_task(change()) for _ in range(41)]
        await asyncio.sleep(0.1)
        await asyncio.gather(look(mine, uuid4()), look(mine, None), look(others, uuid4()), look(others, None))
        assert not any(task.done() for task in waiting)
        await holder.execute("SELECT pg_advisory_unlock(1)")
    await asyncio.gather(*waiting)
    await pool.close()


async def test_one_tenants_statements_leave_connections_to_the_others(database_url: str) -> None:
    pool = await open_pool(database_url, max_size=4, acquire_seconds=20)

    async def hold(tenant: UUID, until: asyncio.Event) -> None:
        spending.set(tenant)
        async with pool.connection() as connection:
            await connection.execute("SELECT 1")
            await until.wait()

    stop, noisy = asyncio.Event(), uuid4()
    waiting = [asyncio.create_task(hold(noisy, stop)) for _ in range(40)]
    await asyncio.sleep(0.1)
    done = asyncio.Event()
    done.set()
    await asyncio.wait_for(hold(uuid4(), done), 5)
    stop.set()
    await asyncio.gather(*waiting)
    await pool.close()
