"""The API, real, with PostgreSQL and without Temporal."""

from collections.abc import AsyncGenerator

import pytest

from tests.support.api import NOWHERE, RunningApi, running_api


@pytest.fixture
async def api(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RunningApi]:
    """A running API on a database of its own. Temporal is away: no caller may notice."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)
    async with running_api(database_url, temporal_budget_seconds=0.2, stream_retry_seconds=0.1) as running:
        yield running
