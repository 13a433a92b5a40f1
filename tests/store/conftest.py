"""What the store's tests share."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack

import pytest

from baton.store.pool import Pool
from tests.store.world import Run, World, empty, opened_pool
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
async def shared_database(postgres: PostgresServer) -> AsyncGenerator[str]:
    """A database with Baton's schema, which the tests of this folder share; they keep apart by tenant."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(dsn)


@pytest.fixture(scope="session")
async def shared_pool(shared_database: str) -> AsyncGenerator[Pool]:
    """Its connections. Most of what a test costs PostgreSQL is planning again what other connections have planned."""
    async with opened_pool(shared_database) as pool:
        yield pool


@pytest.fixture
async def world(shared_database: str, shared_pool: Pool) -> World:
    """A fresh tenant, in a database that holds others, too."""
    return await World.create(shared_database, shared_pool)


@pytest.fixture(scope="session")
async def emptied_database(postgres: PostgresServer) -> AsyncGenerator[str]:
    """A database with Baton's schema, for one test after another."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(dsn)


@pytest.fixture(scope="session")
async def emptied_pool(emptied_database: str) -> AsyncGenerator[Pool]:
    """Its connections."""
    async with opened_pool(emptied_database) as pool:
        yield pool


@pytest.fixture
async def database_url(emptied_database: str, emptied_pool: Pool) -> AsyncGenerator[str]:
    """A database without rows, which nobody else uses meanwhile. To make a new one takes a hundred times as long."""
    yield emptied_database
    async with emptied_pool.connection() as connection:
        await empty(connection)


@pytest.fixture
async def lone_world(database_url: str, emptied_pool: Pool) -> World:
    """A tenant alone in a database."""
    return await World.create(database_url, emptied_pool)


@pytest.fixture
def in_a_loop(shared_database: str) -> Generator[tuple[Run, World]]:
    """A loop of the test's own, which Hypothesis can step, and a world in it."""

    async def open_world(stack: AsyncExitStack) -> World:
        return await stack.enter_async_context(World.open(shared_database, connections=1))

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        world = runner.run(open_world(stack))
        try:
            yield runner.run, world
        finally:
            runner.run(stack.aclose())
