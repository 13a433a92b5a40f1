"""Runs that are stuck, because the code has changed under them or nobody runs their build, give way to others."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion as ApiVersion
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest, UpdateWorkflowExecutionOptionsRequest
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker, WorkerDeploymentConfig

import worker
from baton.domain.events import EventType
from baton.domain.ids import TaskById
from baton.service.explain import explain_task
from baton.service.runs import Pending, Run, Stuck
from tests.support.changed_workflows import ChangedPlanWorkflow, ChangedTaskWorkflow
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from tests.support.tools import calls_of
from workflows.agent_task import AgentTaskWorkflow
from workflows.contracts import task_workflow_id
from workflows.plan import PlanWorkflow
from workflows.runner import sandbox

OURS: Final = (AgentTaskWorkflow, PlanWorkflow)
CHANGED: Final = (ChangedTaskWorkflow, ChangedPlanWorkflow)
QUICK: Final[dict[str, Any]] = {
    "tools_modules": ("tests.support.tools",),
    "sweep_interval_seconds": 1,
    "sweep_silent_seconds": 1,
    "relay_interval_seconds": 0.5,
    "relay_after_seconds": 1,
}


@asynccontextmanager
async def worker_of(system: System, code: tuple[type, type], monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """A worker that runs these workflows, as in production, while in here."""
    monkeypatch.setattr(worker, "AgentTaskWorkflow", code[0])
    monkeypatch.setattr(worker, "PlanWorkflow", code[1])
    stop = asyncio.Event()
    serving = asyncio.create_task(worker.serve(system.baton.settings, system.queue, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await serving


async def replaced(system: System, execution: UUID) -> list[dict[str, Any]]:
    """What the log says of runs that gave way to others."""
    return [event.data for event in await system.log(execution) if event.type == EventType.WORKFLOW_REPLACED]


async def explained(system: System, task: UUID, code: str) -> dict[str, Any]:
    """Wait until `explain` gives this reason, the first of all; its data."""

    async def found() -> dict[str, Any] | None:
        reasons = (await explain_task(system.baton, system.who, TaskById(task))).reasons
        return reasons[0].data if reasons and reasons[0].code == code else None

    return await eventually(found, 30)


async def turn_is_at(system: System, tasks: Sequence[UUID], turn: int) -> bool:
    rows = [await system.row(task) for task in tasks]
    return all(row["turn"] == turn and row["state"] == "waiting" for row in rows)


async def test_tasks_and_plans_go_on_by_themselves_under_changed_code(
    database_url: str,
    temporal_server: RunningTemporal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running_system(database_url, temporal_server, workers=False, **QUICK) as system:
        async with worker_of(system, OURS, monkeypatch):
            asking = await system.start("!ask one?")
            calling = await system.start('!tool linger {"seconds": 1.0}\n' * 40, await system.agent("linger"))
            plan = await system.start_plan(("!ask go?", ()), ("!ask on?", (1,)))
            await system.until(asking, "waiting")
            await eventually(lambda: _has_called(calling, 2))
        async with worker_of(system, CHANGED, monkeypatch):
            called = len(calls_of(calling))
            await system.send(asking, "!ask and now?")
            await system.send((plan, 1), "!finish it")
            await typed_to(system, asking)
            why = await explained(system, asking, "workflow_stuck")
            assert why["cause"] == "NonDeterministicError"
            await eventually(lambda: _has_read(system, asking, ["!ask and now?", "typed while it was stuck"]), 40)
            await eventually(lambda: _has_called(calling, called + 2), 40)
            await eventually(lambda: _has_state(system, plan, 2, "waiting"), 40)
        for execution in (await system.execution_of(asking), await system.execution_of(calling), plan):
            events = await replaced(system, execution)
            assert 1 <= len(events) <= 2
            assert {event["cause"] for event in events} == {"NonDeterministicError"}
        assert "another run takes the place of that of task" in caplog.text
        assert "another run takes the place of that of plan" in caplog.text


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_50_waiting_and_20_running_tasks_go_on_under_changed_code_forth_and_back(
    database_url: str, temporal_server: RunningTemporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"tools_modules": ("tests.support.tools",)}  # all else as in production
    async with running_system(database_url, temporal_server, workers=False, **settings) as system:
        agent = await system.agent("linger")
        async with worker_of(system, OURS, monkeypatch):
            asking = [await system.start("!ask one?") for _ in range(50)]
            calling = [await system.start('!tool linger {"seconds": 2.0}\n' * 200, agent) for _ in range(20)]
            for task in asking:
                await system.until(task, "waiting")
            for task in calling:
                await eventually(lambda task=task: _has_called(task, 1))
        for turn, code in enumerate((CHANGED, OURS), start=2):
            async with worker_of(system, code, monkeypatch):
                began = time.monotonic()
                called = {task: len(calls_of(task)) for task in calling}
                for task in asking:
                    await system.send(task, "!ask and now?")
                await explained(system, asking[0], "workflow_stuck")
                for task in asking:
                    await eventually(lambda task=task, turn=turn: turn_is_at(system, [task], turn), 60)
                for task in calling:
                    await eventually(lambda task=task, called=called: _has_called(task, called[task] + 2), 60)
                seconds = time.monotonic() - began
                print(f"all 70 tasks went on within {seconds:.1f} s")
                assert seconds < 60
        for task in (*asking, *calling):
            assert await replaced(system, await system.execution_of(task))


async def test_a_run_that_is_pinned_to_a_build_which_nobody_runs_gives_way(
    database_url: str, temporal_server: RunningTemporal
) -> None:
    """Somebody pinned it in Temporal, to a version whose workers are gone since."""
    async with running_system(database_url, temporal_server, **QUICK) as system:
        task = await system.start("!ask one?")
        await system.until(task, "waiting")
        async with old_build(system, temporal_server) as version:
            await asyncio.sleep(1)
        await pin(temporal_server, task_workflow_id(str(task)), version)
        await system.send(task, "!finish it")
        assert (await explained(system, task, "workflow_stuck"))["cause"] == "PinnedBuildWithoutWorkers"
        await gives_way_to_a_run_of_another_build(system, task)


async def test_so_does_one_with_a_step_that_only_such_a_build_could_take(
    database_url: str, temporal_server: RunningTemporal
) -> None:
    async with running_system(database_url, temporal_server, **QUICK) as system:
        task = await system.start("!ask one?")
        await system.until(task, "waiting")
        handle = temporal_server.client.get_workflow_handle(task_workflow_id(str(task)))

        async def step_is_scheduled() -> bool:
            return len((await handle.describe()).raw_description.pending_activities) == 1

        async def is_at_rest() -> bool:  # else its worker is handed its next workflow task with the answer to this one
            found = (await handle.describe()).raw_description
            return not found.pending_activities and not found.HasField("pending_workflow_task")

        async with old_build(system, temporal_server, other_work) as version:
            await eventually(is_at_rest)
            await pin(temporal_server, task_workflow_id(str(task)), version)
            await system.send(task, "!finish it")
            await eventually(step_is_scheduled)
        await gives_way_to_a_run_of_another_build(system, task)


def test_a_step_that_is_put_off_for_long_is_not_waited_for() -> None:
    """A provider may ask for an hour; one that is tried again in a moment would be done twice."""
    now = datetime.now(UTC)
    stuck = Stuck("NonDeterministicError", "", 3, now - timedelta(minutes=1))

    def is_waited_for(seconds: float | None, *, at_work: bool = False) -> bool:
        next_at = None if seconds is None else now + timedelta(seconds=seconds)
        pending = Pending("model_step", at_work, 2, now, now, next_at, "model_rate_limited")
        return Run("run", "running", (pending,), stuck).at_work

    assert not is_waited_for(600)
    assert is_waited_for(3)
    assert is_waited_for(None)
    assert is_waited_for(None, at_work=True)
    assert not Run("run", "running", (), stuck).at_work


@activity.defn
async def other_work() -> None:
    """Nothing that anybody asks for."""


@asynccontextmanager
async def old_build(
    system: System, temporal: RunningTemporal, *activities: Callable[..., Any]
) -> AsyncGenerator[WorkerDeploymentVersion]:
    """A worker of a version of its own, which can take no step, while in here."""
    version = WorkerDeploymentVersion("baton", "old")
    async with Worker(
        temporal.client,
        task_queue=system.queue,
        workflows=list(OURS),
        activities=activities,
        workflow_runner=sandbox(),
        deployment_config=WorkerDeploymentConfig(
            version=version,
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        ),
    ):
        yield version


async def gives_way_to_a_run_of_another_build(system: System, task: UUID) -> None:
    assert (await system.until(task, "succeeded", seconds=40))["result"] == "it"
    (why,) = await replaced(system, await system.execution_of(task))
    assert why["cause"] == "PinnedBuildWithoutWorkers"


async def pin(temporal: RunningTemporal, workflow_id: str, version: WorkerDeploymentVersion) -> None:
    """Pin a workflow to a version, as `temporal workflow update-options` does."""
    pinned = VersioningOverride.PinnedOverride(
        behavior=VersioningOverride.PINNED_OVERRIDE_BEHAVIOR_PINNED,
        version=ApiVersion(deployment_name=version.deployment_name, build_id=version.build_id),
    )
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        workflow_execution_options=WorkflowExecutionOptions(versioning_override=VersioningOverride(pinned=pinned)),
        update_mask=FieldMask(paths=["versioning_override"]),
    )
    async with asyncio.timeout(30):
        while True:
            try:
                await temporal.client.workflow_service.update_workflow_execution_options(request)
            except RPCError as error:  # the server does not know the version yet
                if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                    raise
                await asyncio.sleep(0.5)
            else:
                break
    # Else a worker that has the run in its cache may take its next workflow task all the same.
    reset = ResetStickyTaskQueueRequest(namespace="default", execution=WorkflowExecution(workflow_id=workflow_id))
    await temporal.client.workflow_service.reset_sticky_task_queue(reset)


async def typed_to(system: System, task: UUID) -> None:
    handle = system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))
    await handle.signal("user_message", "typed while it was stuck")


async def _has_read(system: System, task: UUID, texts: list[str]) -> bool:
    async with system.baton.pool.connection() as connection:
        rows = await connection.fetch("SELECT text FROM messages WHERE task_id = $1 AND state = 'processed'", task)
    return {row["text"] for row in rows} == set(texts)


async def _has_called(task: UUID, times: int) -> bool:
    return len(calls_of(task)) >= times


async def _has_state(system: System, execution: UUID, position: int, state: str) -> bool:
    return (await system.tasks_of(execution))[position]["state"] == state
