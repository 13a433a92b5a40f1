"""A worker dies just as a task's workflow continues as new, and messages come while there is none."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.faults.planted import plants
from tests.faults.workload import Workload, gapless, said
from tests.support.stack import DevStack, running_stack
from tests.support.temporal import RunningTemporal

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Where a file plants what it names."""
    directory = tmp_path / "planted"
    directory.mkdir()
    return directory


@pytest.fixture
async def short_stack(
    tmp_path: Path, planted: Path, short_history_temporal_server: RunningTemporal
) -> AsyncGenerator[DevStack]:
    """A stack whose workflows continue as new after a few turns."""
    environment = {
        "BATON_PLANTED": str(planted),
        "PYTHONPATH": str(Path(plants.__file__).parent),
        "TEMPORAL_ADDRESS": short_history_temporal_server.address,
        "TEMPORAL_NAMESPACE": "default",
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }
    async with running_stack(tmp_path / "data", environment=environment) as running:
        yield running


async def test_a_worker_dies_at_continue_as_new(
    short_stack: DevStack, planted: Path, short_history_temporal_server: RunningTemporal
) -> None:
    point = planted / plants.DIES_ROLLING_OVER
    workflows = short_history_temporal_server.client
    async with short_stack.client() as client:
        work = Workload(client)
        task = await work.start("!ask Go?")
        await work.until(task["id"], "waiting")
        handle = workflows.get_workflow_handle(f"task-{task['id']}")
        old, first_run = short_stack.pids["worker"], (await handle.describe()).run_id
        point.touch()
        sent = 0
        while point.exists():
            sent += 1
            await work.send(task["id"], f"!say You said: {sent}\n!ask And then?")
            assert sent < 40, "the workflow never continued as new"
            if point.exists():
                await _until_processed_or_dead(work, task["id"], point)
        for _ in range(3):
            sent += 1
            await work.send(task["id"], str(sent))
        await short_stack.restarted("worker", old)
        # The question that was open may be asked again by a message that was queued: one more answer ends it.
        last = await work.until(task["id"], "waiting", "succeeded", seconds=90)
        if last["state"] == "waiting":
            sent += 1
            await work.send(task["id"], str(sent))
            await work.until(task["id"], "succeeded", seconds=60)
        log = await work.log(task["execution_id"])
        assert gapless(log)
        assert sorted(said(log), key=int) == [str(n) for n in range(1, sent + 1)]
        turns = [message["seq"] for e in log if e["type"] == "turn.started" for message in e["data"]["messages"]]
        assert turns == list(range(1, sent + 1))
        assert {message["state"] for message in await work.messages(task["id"])} == {"processed"}
        assert (await handle.describe()).run_id != first_run


async def _until_processed_or_dead(work: Workload, task: str, point: Path) -> None:
    """Wait until the task waits again, or the worker has died."""
    async with asyncio.timeout(60):
        while point.exists():
            found = await work.task(task)
            if found["state"] == "waiting" and not found["queued"]:
                return
            await asyncio.sleep(0.05)
