"""The real parts that tests share, and the end of the test process."""

import logging
import os
import sys
from collections.abc import AsyncGenerator

import pytest

from tests.support.postgres import PostgresServer, running_postgres
from tests.support.temporal import SHORT_HISTORIES, RunningTemporal, running_temporal

_exit_code: int | None = None


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[PostgresServer]:
    """An embedded PostgreSQL."""
    async with running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
async def database_url(postgres: PostgresServer) -> AsyncGenerator[str]:
    """A fresh database with Baton's schema, of this test alone."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(dsn)


@pytest.fixture(scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RunningTemporal]:
    """A Temporal dev server as `baton dev` starts it. Tests keep apart by task queue and ids."""
    async with running_temporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture(scope="session")
async def short_history_temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RunningTemporal]:
    """One that suggests to continue as new after 20 events."""
    async with running_temporal(tmp_path_factory.mktemp("temporal"), SHORT_HISTORIES) as server:
        yield server


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how it went."""
    global _exit_code
    _exit_code = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End here, with the summary printed: taking down a process that held a Temporal client may crash it."""
    if _exit_code is None:
        return
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_exit_code)
