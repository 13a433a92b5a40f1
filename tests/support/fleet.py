"""Worker processes that are replaced one by one, as a deploy does, and what their tasks notice of it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final
from uuid import UUID

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from baton.domain.states import TaskState
from tests.support.environment import without_settings
from tests.support.stack import until
from tests.support.system import System, eventually

ROOT: Final = Path(__file__).resolve().parents[2]
#: What a stop has taken away is noticed so long after it, at most.
_AROUND: Final = timedelta(seconds=3)
_PLANTS: Final = ROOT / "tests" / "faults" / "planted"


class Fleet:
    """The workers of a system's task queue, each a process with a log of its own in ``directory``."""

    def __init__(self, system: System, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._number = 0
        self._client = system.temporal.client
        self.queue = system.queue
        self.environment = {
            **without_settings(),
            "DATABASE_URL": system.baton.settings.dsn,
            "TEMPORAL_ADDRESS": system.temporal.address,
            "TEMPORAL_NAMESPACE": system.temporal.client.namespace,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "BATON_TASK_QUEUE": system.queue,
            "BATON_TOOLS_MODULES": '["tests.support.tools"]',
            "PYTHONPATH": f"{_PLANTS}:{ROOT}",
            **environment,
        }
        self.running: list[asyncio.subprocess.Process] = []

    async def add(self, **environment: str) -> asyncio.subprocess.Process:
        """Start another worker; returns when it is ready, as a deploy waits for."""
        self._number += 1
        log = self._directory / f"worker-{self._number}.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(ROOT / "worker.py")),
                cwd=ROOT,
                env={**self.environment, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self.running.append(process)
        await until(lambda: b"serving the task queue" in log.read_bytes() or process.returncode is not None, 120)
        assert process.returncode is None, log.read_text()
        await eventually(lambda: self._asks(process), 120)
        return process

    async def _asks(self, process: asyncio.subprocess.Process) -> bool:
        """Whether Temporal knows that a worker asks for work: it is not ready before."""
        service, queue = self._client.workflow_service, TaskQueue(name=self.queue)
        for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
            request = DescribeTaskQueueRequest(namespace=self._client.namespace, task_queue=queue, task_queue_type=kind)
            answer = await service.describe_task_queue(request)
            if not any(poller.identity.startswith(f"{process.pid}@") for poller in answer.pollers):
                return False
        return True

    async def remove(self, process: asyncio.subprocess.Process) -> int:
        """Tell a worker to stop, and wait for its end; its exit code."""
        process.send_signal(signal.SIGTERM)
        self.running.remove(process)
        return await asyncio.wait_for(process.wait(), 60)


@asynccontextmanager
async def running_fleet(
    system: System, directory: Path, workers: int, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Fleet]:
    """``workers`` workers; what is left of them is killed at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    fleet = Fleet(system, directory, environment or {})
    try:
        for _ in range(workers):
            await fleet.add()
        yield fleet
    finally:
        for process in fleet.running:
            process.kill()
            await process.wait()


async def pauses(
    system: System, tasks: Sequence[UUID], stops: Sequence[tuple[datetime, datetime]], *, around: timedelta = _AROUND
) -> list[tuple[float, datetime, UUID]]:
    """How long tasks were without an event while a worker stopped or ``around`` that (``stops``: from when, until
    when), and since when: the longest first."""
    since = min(began for began, _ in stops) - around
    found: list[tuple[float, datetime, UUID]] = []
    for task in tasks:
        log = await system.log(await system.execution_of(task))
        times = [since, *(event.at for event in log if event.at > since)]
        if not TaskState((await system.row(task))["state"]).is_over:
            times.append(max(times[-1], datetime.now(UTC)))
        assert len(times) > 1, "it was over before"
        found += [
            ((b - a).total_seconds(), a, task)
            for a, b in pairwise(times)
            if any(a <= ended + around and b >= began for began, ended in stops)
        ]
    return sorted(found, reverse=True)
