"""The real parts that tests share, and the end of the test process."""

import gc
import logging
import os
import sys
from collections.abc import AsyncGenerator
from typing import Final

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.support.postgres import PostgresServer, running_postgres
from tests.support.postgres_versions import chosen_installation
from tests.support.temporal import SHORT_HISTORIES, RunningTemporal, running_temporal

# Tests start hundreds of interpreters, and without bytecode each compiles all that it imports: seconds of every start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Modules never become garbage, but a full collection looks at each of their objects: a fifth of what unit tests cost.
gc.set_threshold(50_000, 20, 100)

# A busy machine is no failure: how long a test may take, pytest-timeout says.
settings.register_profile("whole", deadline=None)
settings.load_profile("whole")
#: `make test-fast` takes it: properties are tried with fewer examples (`tests.support.examples`).
settings.register_profile("fast", settings.get_profile("whole"), max_examples=20)

#: The slowest first, so that no process is left with one of them when the others have ended.
_FIRST: Final = ("faults", "e2e", "cli", "workflows", "hostile", "walks", "dialects")

#: Where the tests of the models are.
_MODELS: Final = "tests/unit/agents/"

_exit_code: int | None = None


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[PostgresServer]:
    """An embedded PostgreSQL, or the one that `BATON_TEST_POSTGRES` names."""
    async with running_postgres(tmp_path_factory.mktemp("postgres"), chosen_installation()) as server:
        yield server


@pytest.fixture
async def database_url(postgres: PostgresServer) -> AsyncGenerator[str]:
    """A fresh database with Baton's schema, of this test alone."""
    dsn = await postgres.create_database()
    yield dsn
    await postgres.drop_database(dsn)


@pytest.fixture(scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RunningTemporal]:
    """A Temporal dev server as `baton dev` starts it. Tests keep apart by task queue and ids."""
    async with running_temporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture(scope="session")
async def short_history_temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RunningTemporal]:
    """One that suggests to continue as new after 20 events."""
    async with running_temporal(tmp_path_factory.mktemp("temporal"), SHORT_HISTORIES) as server:
        yield server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slow folders first where several processes share the work, and before the others what stays together."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(
            key=lambda item: (
                _rank(item.path.relative_to(config.rootpath / "tests").parts[0]),
                not item.nodeid.startswith(_MODELS),
            )
        )


class _Together(LoadFileScheduling):
    """A file's tests stay in one process, with the servers that they share; those of the models all do, since each
    process that imports the vendors' SDKs takes seconds for them."""

    def _split_scope(self, nodeid: str) -> str:
        return _MODELS if nodeid.startswith(_MODELS) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Share work out by files."""
    return _Together(config, log) if config.getoption("dist") == "loadfile" else None


def _rank(folder: str) -> int:
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how it went."""
    global _exit_code
    _exit_code = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End here, with the summary printed: taking down a process that held a Temporal client may crash it."""
    if _exit_code is None:
        return
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_exit_code)
