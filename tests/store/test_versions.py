"""Versions of PostgreSQL that Baton runs on: a sample on the oldest, `make faults` on each.

`BATON_TEST_POSTGRES` runs all tests on one of them.
"""

import asyncio
import os

import asyncpg
import pytest

from baton.store.connecting import OLDEST
from baton.store.migrate import migrate
from baton.store.queries import all_queries
from tests.store.plans import HOT, filled_database, nodes, plan_of, read_as_a_whole
from tests.store.world import World
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.postgres_versions import USUAL, VARIABLE, VERSIONS, how_to_get, installation_of

_REST = [pytest.param(version, marks=pytest.mark.faults) for version in VERSIONS if version not in (OLDEST, USUAL)]


@pytest.mark.skipif(VARIABLE in os.environ, reason=f"all tests run on what {VARIABLE} names")
@pytest.mark.parametrize("version", [OLDEST, *_REST])
async def test_migrations_queries_plans_and_locks(version: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    installation = installation_of(version)
    if installation is None:
        pytest.skip(f"there is no PostgreSQL {version} on this machine: {how_to_get()}")
    async with running_postgres(tmp_path_factory.mktemp("postgres"), installation) as server:  # migrated from nothing
        await _check_version(server, version)
        await _check_queries(server)
        await _check_locks(server)


async def _check_version(server: PostgresServer, version: int) -> None:
    """It is the version that it is to be, and its schema is the newest."""
    dsn = await server.create_database()
    assert await migrate(dsn) == []
    connection = await asyncpg.connect(dsn)
    try:
        assert connection.get_server_version().major == version
    finally:
        await connection.close()


async def _check_queries(server: PostgresServer) -> None:
    """All are valid, and the hot ones use the indexes that they are to use."""
    async with filled_database(server) as connection:
        for query in all_queries().values():
            await connection.prepare(query.text)
        for name, expected in HOT.items():
            plan = await plan_of(connection, name)
            assert expected <= {node.get("Index Name") for node in nodes(plan)}, name
            assert not read_as_a_whole(plan), name


async def _check_locks(server: PostgresServer) -> None:
    """Messages that come at once are all accepted, once, and numbered without a gap."""
    async with World.open(await server.create_database()) as world:
        route = await world.task()
        await world.start(route, 1)
        await asyncio.gather(world.record(route, 1), *(world.send(route) for _ in range(20)))
        assert [message["seq"] for message in await world.messages(route)] == list(range(1, 21))
