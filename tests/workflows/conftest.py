"""A Baton with a worker, shared by the tests of this folder; each test has tasks of its own."""

from collections.abc import AsyncGenerator

import pytest

from tests.support.postgres import PostgresServer
from tests.support.system import System, running_system
from tests.support.temporal import RunningTemporal


@pytest.fixture(scope="package")
async def system(postgres: PostgresServer, temporal_server: RunningTemporal) -> AsyncGenerator[System]:
    """A tenant's view of Baton on a real Temporal server, the sandbox on."""
    dsn = await postgres.create_database()
    async with running_system(dsn, temporal_server, tools_modules=("tests.support.tools",)) as running:
        yield running


@pytest.fixture(scope="package")
async def rolling(postgres: PostgresServer, short_history_temporal_server: RunningTemporal) -> AsyncGenerator[System]:
    """The same, on a server that has workflows continue as new every few turns."""
    dsn = await postgres.create_database()
    async with running_system(dsn, short_history_temporal_server) as running:
        yield running
