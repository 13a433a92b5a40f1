"""Do API and worker say at the start that the database has not the schema that they need, and serve once it has?"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from baton.domain.errors import Unavailable
from baton.domain.faults import EXIT_SCHEMA
from baton.runtime.installation import baton_command, worker_command
from baton.store.health import check
from baton.store.migrate import known_migrations, migrate
from baton.store.pool import open_pool
from tests.support.postgres import PostgresServer
from tests.support.temporal import RunningTemporal

_NEEDED = len(known_migrations())
_SAID = f"the database's schema is 0, and this version of Baton needs {_NEEDED}: run `baton migrate`"


@pytest.fixture
async def empty_database_url(postgres: PostgresServer) -> AsyncGenerator[str]:
    dsn = await postgres.create_database(migrated=False)
    yield dsn
    await postgres.drop_database(dsn)


async def test_an_api_without_a_schema_says_so_in_a_line_and_ends(empty_database_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *baton_command("api", "--port", "0"),
        env=os.environ | {"DATABASE_URL": empty_database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == EXIT_SCHEMA
    assert said.decode().rstrip().endswith(f"the API cannot start: {_SAID}")
    assert "Traceback" not in said.decode()


@asynccontextmanager
async def _worker(dsn: str, server: RunningTemporal, log: Path) -> AsyncGenerator[None]:
    environment = os.environ | {
        "DATABASE_URL": dsn,
        "TEMPORAL_ADDRESS": server.address,
        "BATON_TASK_QUEUE": "schema-at-start",
    }
    with log.open("w") as out:
        process = await asyncio.create_subprocess_exec(*worker_command(), env=environment, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _until_said(log: Path, text: str) -> None:
    async with asyncio.timeout(60):
        while text not in log.read_text():
            await asyncio.sleep(0.1)


async def test_a_worker_without_a_schema_waits_for_it(
    empty_database_url: str, temporal_server: RunningTemporal, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    async with _worker(empty_database_url, temporal_server, log):
        await _until_said(log, f"the worker waits: {_SAID}")
        await migrate(empty_database_url)
        await _until_said(log, "serving the task queues schema-at-start")
    assert "Traceback" not in log.read_text()


async def test_readiness_tells_of_the_schema_and_of_a_standby(database_url: str) -> None:
    pool = await open_pool(database_url, min_size=0, max_size=1)
    async with pool.connection() as connection:
        await check(connection)
        await connection.execute("UPDATE schema_migrations SET number = number + 1000 WHERE number = 1")
        await check(connection)  # newer than this code: it was made to keep this code running
        await connection.execute("SET default_transaction_read_only = on")
        with pytest.raises(Unavailable, match="read-only"):
            await check(connection)
    await pool.close()
    operator = await asyncpg.connect(database_url)
    await operator.execute("DELETE FROM schema_migrations WHERE number > 1")
    with pytest.raises(Unavailable, match="run `baton migrate`"):
        await check(operator)
    await operator.close()
