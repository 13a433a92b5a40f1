"""One stack for all faults: what one test breaks has to be whole again for the next."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.faults.workload import Workload
from tests.support.stack import DevStack, running_stack


@pytest.fixture(scope="package")
def armed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a file makes the first process that comes to the point of its name die, see `faultpoints`."""
    return tmp_path_factory.mktemp("faultpoints")


@pytest.fixture(scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory, armed: Path) -> AsyncGenerator[DevStack]:
    """The whole of Baton as processes."""
    environment = {"BATON_FAULTPOINTS": str(armed)}
    async with running_stack(tmp_path_factory.mktemp("faults") / "data", environment=environment) as running:
        yield running


@pytest.fixture
async def work(stack: DevStack) -> AsyncGenerator[Workload]:
    """Senders that retry with the same key until they are told that the message is safe."""
    async with stack.client() as client:
        yield Workload(client)
