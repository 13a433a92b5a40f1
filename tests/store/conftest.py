"""What the store's tests share."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack

import pytest

from tests.store.world import Run, World
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
