"""Migrations: each once, in order, whoever comes at the same time."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest

from baton.store import migrate as module
from baton.store.migrate import migrate
from tests.support.postgres import PostgresServer


@pytest.fixture
async def empty_database(postgres: PostgresServer) -> AsyncGenerator[str]:
    """A database without a schema."""
    dsn = await postgres.create_database(migrated=False)
    yield dsn
    await postgres.drop_database(dsn)


async def fetch(dsn: str, statement: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_twice_is_once(empty_database: str) -> None:
    ran = await migrate(empty_database)
    assert ran == sorted(ran)
    assert ran[0] == "0001_initial.sql"
    assert await migrate(empty_database) == []
    assert await fetch(empty_database, "SELECT name FROM schema_migrations ORDER BY number") == [
        (name,) for name in ran
    ]


async def test_several_at_once_are_once(empty_database: str) -> None:
    ran = await asyncio.gather(*(migrate(empty_database) for _ in range(6)))
    assert sorted(map(len, ran))[:-1] == [0] * 5
    assert len(await fetch(empty_database, "SELECT FROM schema_migrations")) == max(map(len, ran))


async def test_one_that_fails_is_rolled_back_and_those_before_it_stay(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = (1, "0001_good.sql", "CREATE TABLE good ()")
    bad = (2, "0002_bad.sql", "CREATE TABLE half (); SELECT nonsense")
    monkeypatch.setattr(module, "_files", lambda: [good, bad])
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(empty_database)
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    assert await fetch(empty_database, tables) == [("good",), ("schema_migrations",)]
    monkeypatch.setattr(module, "_files", lambda: [good, (2, "0002_mended.sql", "CREATE TABLE half ()")])
    assert await migrate(empty_database) == ["0002_mended.sql"]


async def test_a_table_in_use_does_not_make_everybody_queue(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty_database)
    files = module._files()  # pyright: ignore[reportPrivateUsage]
    late = (len(files) + 1, "9999_late.sql", "ALTER TABLE tenants ADD COLUMN more text")
    monkeypatch.setattr(module, "_files", lambda: [*files, late])
    connection = await asyncpg.connect(empty_database)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE tenants IN ACCESS SHARE MODE")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await migrate(empty_database, lock_seconds=0.05)
        assert await migrate(empty_database) == ["9999_late.sql"]
    finally:
        await connection.close()


def test_numbers_have_no_gaps() -> None:
    files = sorted(Path("baton/store/migrations").glob("*.sql"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
