"""Do the lines of the Temporal SDK's core go where ours go, and without words?"""

import json
import logging
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from baton.runtime.logging import JsonLine
from baton.service.telemetry import core_runtime
from tests.support.system import eventually
from tests.support.temporal import RunningTemporal

_WORDS = "what a user wrote"


@workflow.defn
class Talkative:
    """Fails its workflow tasks with what it was given."""

    @workflow.run
    async def run(self, text: str) -> None:
        """Fail."""
        raise ValueError(text)


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


async def test_a_failure_is_told_by_its_run_alone(temporal_server: RunningTemporal) -> None:
    kept, core = _Kept(), logging.getLogger("temporalio.core")
    kept.setFormatter(JsonLine(()))
    core.addHandler(kept)
    queue = f"test-{uuid4()}"
    client = await Client.connect(temporal_server.address, runtime=core_runtime(metrics=False).runtime)
    worker = Worker(client, task_queue=queue, workflows=[Talkative], workflow_runner=UnsandboxedWorkflowRunner())

    async def failing() -> list[str] | None:
        return [line for line in kept.lines if "Failing workflow task" in line] or None

    try:
        async with worker:
            handle = await client.start_workflow(Talkative.run, _WORDS, id=f"task-{queue}", task_queue=queue)
            line = json.loads((await eventually(failing))[0])
            await handle.terminate()
    finally:
        core.removeHandler(kept)
    assert line["logger"] == "temporalio.core"
    assert line["run_id"] == handle.first_execution_run_id
    assert all(_WORDS not in line and "\x1b" not in line for line in kept.lines)
