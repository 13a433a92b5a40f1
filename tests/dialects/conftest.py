"""The API, real, with PostgreSQL and without Temporal: no caller may notice that it is away."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.dialects.commands import Command, commands
from tests.support.api import NOWHERE, RunningApi, running_api
from tests.support.postgres import PostgresServer

#: Quick where tests would wait.
QUICK: dict[str, Any] = {"temporal_budget_seconds": 0.2, "stream_retry_seconds": 0.1, "feed_poll_seconds": 1.0}


@pytest.fixture(autouse=True)
def _no_temporal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)


@pytest.fixture(scope="package")
async def shared_database_url(postgres: PostgresServer) -> AsyncGenerator[str]:
    """A database that the tests of this folder share; they keep apart by tenant."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(dsn)


@pytest.fixture(scope="package")
async def shared_api(shared_database_url: str) -> AsyncGenerator[RunningApi]:
    """A running API that the tests of this folder share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", NOWHERE)
        async with running_api(shared_database_url, **QUICK) as running:
            yield running


@pytest.fixture
async def api(shared_api: RunningApi) -> AsyncGenerator[RunningApi]:
    """The running API, with keys of two tenants that nobody has used before."""
    mine = await shared_api.for_new_tenants()
    yield mine
    await mine.close_clients()


@pytest.fixture
async def lone_api(database_url: str) -> AsyncGenerator[RunningApi]:
    """An API with a database of its own, for tests that break something."""
    async with running_api(database_url, **QUICK) as running:
        yield running


@pytest.fixture
def baton(api: RunningApi, tmp_path: Path) -> Command:
    """Run `baton …` with the tenant's key."""
    return commands(api, tmp_path)
