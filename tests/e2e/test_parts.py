"""Do the parts of a local stack do what the rest relies on?"""

import asyncpg
import pytest

from cli.search_attributes import SEARCH_ATTRIBUTES, register_search_attributes
from tests.support.postgres import PostgresServer
from tests.support.temporal import RunningTemporal


async def test_a_fresh_database_has_the_schema(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM schema_migrations") > 0
        assert await connection.fetchval("SHOW server_version_num") >= "180000"
    finally:
        await connection.close()


async def test_databases_are_apart(postgres: PostgresServer) -> None:
    one, other = await postgres.create_database(migrated=False), await postgres.create_database(migrated=False)
    connection = await asyncpg.connect(one)
    await connection.execute("CREATE TABLE mine ()")
    await connection.close()
    connection = await asyncpg.connect(other)
    with pytest.raises(asyncpg.UndefinedTableError):
        await connection.execute("SELECT FROM mine")
    await connection.close()


async def test_search_attributes_can_be_registered_again(temporal_server: RunningTemporal) -> None:
    await register_search_attributes(temporal_server.client)
    for name in SEARCH_ATTRIBUTES:
        assert (await temporal_server.client.count_workflows(f"{name} = 'nobody'")).count == 0
