"""What the store's tests share."""

from collections.abc import AsyncGenerator

import pytest

from tests.store.world import World


@pytest.fixture
async def world(database_url: str) -> AsyncGenerator[World]:
    """A tenant in a fresh database."""
    async with World.open(database_url) as world:
        yield world
