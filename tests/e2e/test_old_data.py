"""What is said of data that an earlier version of Baton left, and what is not done to it."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

from baton.localstack.part import start
from baton.localstack.postgres import Postgres
from baton.store.migrate import known_migrations
from tests.support.environment import without_settings
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.timeout(180)

#: As a version left it that rewrote its only migration afterwards: without a column, and without checksums.
_OLD = (
    known_migrations()[0].text,
    "ALTER TABLE tasks DROP COLUMN archived_at",
    "CREATE TABLE schema_migrations ("
    " number integer PRIMARY KEY, name text NOT NULL, ran_at timestamptz NOT NULL DEFAULT now())",
    "INSERT INTO schema_migrations (number, name) VALUES (1, '0001_initial.sql')",
)
_WHY = (
    "baton: the database was created by an earlier version of Baton and cannot be upgraded"
    " (it lacks, for example, column tasks.archived_at timestamp with time zone)"
)


async def _make_old(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in _OLD:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _run(*arguments: str, **environment: str) -> tuple[int | None, str, str]:
    """Run a `baton` command to its end: exit code, stdout, stderr."""
    variables = without_settings()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "baton.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=variables | environment,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_baton_migrate_refuses_it(postgres: PostgresServer) -> None:
    dsn = await postgres.create_database(migrated=False)
    await _make_old(dsn)
    code, out, err = await _run("migrate", DATABASE_URL=dsn)
    assert (code, out) == (1, "")
    assert err == f"{_WHY}. Use a new, empty database; this one was left as it is.\n"
    await postgres.drop_database(dsn)


async def test_baton_migrate_says_what_ran_and_then_that_all_is_done(postgres: PostgresServer) -> None:
    dsn = await postgres.create_database(migrated=False)
    names = "".join(f"{migration.name}\n" for migration in known_migrations())
    assert await _run("migrate", DATABASE_URL=dsn) == (0, names, "")
    assert await _run("migrate", DATABASE_URL=dsn) == (0, "The schema is up to date.\n", "")
    await postgres.drop_database(dsn)


async def test_baton_dev_refuses_it_and_says_what_to_do(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    server = Postgres(data / "postgres", tmp_path / "log")
    running = await start(await server.part())
    try:
        await server.create_database("baton")
        await _make_old(server.dsn("baton"))
    finally:
        await running.stop()
        server.close()
    state = str(tmp_path / "state")
    code, out, err = await _run("dev", "--json", "--port", "0", "--data", str(data), XDG_STATE_HOME=state)
    assert (code, out) == (1, "")
    assert err.endswith(f"\n{_WHY}. Start with a new --data directory; {data} was left as it is.\n")
    assert (data / "postgres" / "PG_VERSION").exists()
