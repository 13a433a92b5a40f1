"""One entrance for all tests of this folder."""

from collections.abc import AsyncGenerator

import pytest

from tests.hostile.entrance import Entrance, open_entrance
from tests.support.api import NOWHERE
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="package")
async def entrance(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Entrance]:
    """An API behind proxies, that tests share; they keep apart by tenant."""
    dsn = await postgres.create_database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", NOWHERE)
        async with open_entrance(dsn, tmp_path_factory.mktemp("proxies")) as opened:
            yield opened
    await postgres.drop_database(dsn)
