"""One stack for all faults: what one test breaks has to be whole again for the next."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from tests.faults.workload import Workload
from tests.support import counting
from tests.support.openai_server import OpenAIServer, running_openai_server
from tests.support.stack import DevStack, running_stack


@pytest.fixture(scope="package")
def armed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a file makes the first process that comes to the point of its name die, see `faultpoints`."""
    return tmp_path_factory.mktemp("faultpoints")


@pytest.fixture(scope="package")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the calls of the tool `count` leave their marks."""
    return tmp_path_factory.mktemp("counted") / "calls"


@pytest.fixture(scope="package")
def provider() -> Generator[OpenAIServer]:
    """Where the worker finds models that are not scripted."""
    with running_openai_server() as server:
        yield server


@pytest.fixture(scope="package")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, armed: Path, counted: Path, provider: OpenAIServer
) -> AsyncGenerator[DevStack]:
    """The whole of Baton as processes."""
    environment = {
        "BATON_FAULTPOINTS": str(armed),
        "BATON_TOOLS_MODULES": '["tests.support.counting"]',
        counting.FILE: str(counted),
        "OPENAI_BASE_URL": provider.url,
        "OPENAI_API_KEY": "sk-of-the-tests-0123456789",
    }
    async with running_stack(tmp_path_factory.mktemp("faults") / "data", environment=environment) as running:
        yield running


@pytest.fixture
async def work(stack: DevStack) -> AsyncGenerator[Workload]:
    """Senders that retry with the same key until they are told that the message is safe."""
    async with stack.client() as client:
        yield Workload(client)
