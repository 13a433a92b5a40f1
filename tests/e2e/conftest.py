"""One stack for all tests that use it as it is."""

from collections.abc import AsyncGenerator

import pytest

from tests.support.stack import DevStack, running_stack


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[DevStack]:
    """A running `baton dev`. A test may kill its parts if it waits until they are back; it must not stop it."""
    async with running_stack(
        tmp_path_factory.mktemp("stack"), environment={"BATON_SHUTDOWN_SECONDS": "600"}
    ) as running:
        yield running
