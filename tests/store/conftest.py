"""What the store's tests share."""

from collections.abc import AsyncGenerator

import pytest

from tests.store.world import World
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
async def shared_database(postgres: PostgresServer) -> AsyncGenerator[str]:
    """A database with Baton's schema, of one module's tests."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(dsn)


@pytest.fixture
async def world(shared_database: str) -> AsyncGenerator[World]:
    """A fresh tenant, in a database that holds others, too."""
    async with World.open(shared_database) as world:
        yield world


@pytest.fixture
async def lone_world(database_url: str) -> AsyncGenerator[World]:
    """A tenant alone in a fresh database."""
    async with World.open(database_url) as world:
        yield world
