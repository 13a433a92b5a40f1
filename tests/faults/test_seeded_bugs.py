"""Does `baton verify` find a bug? Three are planted in a real stack, one at a time (`planted/plants.py`)."""

from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.planted import plants
from tests.faults.verifying import CLEAN, figures, verify
from tests.support.stack import DevStack, running_stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

_PLANTED = Path(plants.__file__).parent
_LOAD = ("--tasks", "12", "--senders", "6", "--messages", "240", "--fault-every", "3", "--patience")


class Garden:
    """A stack in which bugs can be planted while it runs."""

    def __init__(self, stack: DevStack, directory: Path) -> None:
        self.stack = stack
        self._directory = directory

    @contextmanager
    def with_bug(self, name: str) -> Generator[None]:
        """For the length of the block."""
        (self._directory / name).touch()
        try:
            yield
        finally:
            (self._directory / name).unlink()

    async def verify(self, faults: str, directory: Path, patience: int = 60) -> dict[str, int]:
        """What `baton verify` finds with these faults. It must say so by its exit code, too."""
        report = await verify(
            "--data", str(self.stack.data), *_LOAD, str(patience), "--faults", faults, directory=directory
        )
        assert (report["exit_code"] == 0) == report["clean"], report["said"]
        found = figures(report)
        print({name: n for name, n in found.items() if n})
        return found


@pytest.fixture(scope="module")
async def garden(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Garden]:
    """One stack for all bugs."""
    directory = tmp_path_factory.mktemp("planted")
    environment = {"BATON_PLANTED": str(directory), "PYTHONPATH": str(_PLANTED)}
    async with running_stack(tmp_path_factory.mktemp("garden") / "data", environment=environment) as stack:
        yield Garden(stack, directory)


async def test_without_a_bug_nothing_is_found(garden: Garden, tmp_path: Path) -> None:
    assert await garden.verify("kill-worker,kill-api", tmp_path) == CLEAN


async def test_dequeued_before_the_effect_is_durable(garden: Garden, tmp_path: Path) -> None:
    with garden.with_bug(plants.DEQUEUED_TOO_SOON):
        found = await garden.verify("kill-worker,kill-worker", tmp_path)
    assert found["lost"] > 0
    assert (found["doubled"], found["gaps"]) == (0, 0)


async def test_closing_without_the_final_look(garden: Garden, tmp_path: Path) -> None:
    with garden.with_bug(plants.NO_FINAL_LOOK):
        found = await garden.verify("", tmp_path, patience=20)
    assert found["unfinished"] > 0
    assert found["lost"] > 0
    assert (found["doubled"], found["gaps"]) == (0, 0)


async def test_keys_known_in_memory_alone(garden: Garden, tmp_path: Path) -> None:
    with garden.with_bug(plants.REMEMBERED_IN_MEMORY):
        found = await garden.verify("kill-api", tmp_path)
    assert found["doubled"] > 0
    assert (found["lost"], found["gaps"]) == (0, 0)
