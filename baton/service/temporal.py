"""The one place that talks to Temporal's client. Its errors are translated here, where they enter."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode

from baton.domain.errors import Unavailable
from baton.domain.ids import PlanRoute, TaskId, TaskRoute
from workflows.contracts import (
    PLAN_WORKFLOW,
    TASK_WORKFLOW,
    AgentTaskStart,
    Doorbell,
    PlanStart,
    ProgressState,
    TaskRef,
    plan_workflow_id,
    task_workflow_id,
)

TENANT: Final = SearchAttributeKey.for_keyword("BatonTenant")
STATE: Final = SearchAttributeKey.for_keyword("BatonState")
EXECUTION: Final = SearchAttributeKey.for_keyword("BatonExecution")
AGENT: Final = SearchAttributeKey.for_keyword("BatonAgent")


#: What a server says that is well, and will say again of the same call: the call is at fault.
_REFUSALS: Final = frozenset(
    {
        RPCStatusCode.INVALID_ARGUMENT,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.OUT_OF_RANGE,
        RPCStatusCode.ALREADY_EXISTS,
        RPCStatusCode.UNIMPLEMENTED,
    }
)
#: How a lazy client says that it cannot connect: a plain RuntimeError.
_NOT_CONNECTED: Final = "Failed client connect"
#: Of the runs that were ended from outside, one look takes so many.
_LISTED: Final = 1000


class TemporalRefused(Exception):
    """Temporal is there and does not take a call: trying again is of no use. ``status`` is its word for why."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Temporal refused a call ({status})")
        self.status = status


@dataclass(frozen=True, slots=True)
class Pending:
    """An activity that is scheduled or at work. ``failure`` is the code of its last attempt's, ``next_at`` when it is
    tried again."""

    activity: str
    attempt: int
    started_at: datetime | None
    heartbeat_at: datetime | None
    next_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Closed:
    """A run that was ended from outside. ``tenant`` is the tenant's name, ``status`` Temporal's word for the end."""

    tenant: str
    task_id: TaskId
    run_id: str
    status: str


async def connect(*, lazy: bool = False) -> Client:
    """A client as `TEMPORAL_*` say. ``lazy``: connects at its first call, so that Temporal may be away now."""
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    runtime = Runtime(telemetry=TelemetryConfig())
    return await Client.connect(**config, lazy=lazy, runtime=runtime)


class Temporal:
    """Rings workflows. Every call raises `Unavailable` while Temporal is away, or does not answer in time, and
    `TemporalRefused` where it answers that the call itself is wrong."""

    def __init__(self, client: Client, timeout_seconds: float) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds

    async def ring_task(
        self,
        route: TaskRoute,
        seq: int,
        turn: int,
        interrupt: int = 0,
        *,
        runs: bool = False,
        unheard: bool = False,
    ) -> None:
        """Ring a task's workflow, starting it at ``turn`` if none is running. ``seq``: the task's version.

        ``runs``: it is likely to run, so that a signal alone is tried first: three quarters of the work for Temporal.
        ``unheard``: see `workflows.contracts.Doorbell`.
        """
        ref = TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id))
        ring = Doorbell(seq, interrupt, unheard)
        if runs and await self._signal(task_workflow_id(ref.task), ring):
            return
        label = f"task {route.position} · agent {route.agent}"
        start = AgentTaskStart(ref, label, ProgressState(turn=turn, heard=seq, state="running"))
        await self._signal_with_start(
            TASK_WORKFLOW,
            start,
            task_workflow_id(ref.task),
            route.queue,
            ring,
            TypedSearchAttributes(
                [
                    SearchAttributePair(TENANT, route.tenant),
                    SearchAttributePair(STATE, "running"),
                    SearchAttributePair(EXECUTION, ref.execution),
                    SearchAttributePair(AGENT, route.agent),
                ]
            ),
            label,
        )

    async def ring_plan(self, route: PlanRoute, seq: int, *, unheard: bool = False) -> None:
        """Ring a plan's workflow, starting it if none is running. ``seq``: the execution's last event."""
        start = PlanStart(str(route.tenant_id), str(route.execution_id), heard=seq)
        await self._signal_with_start(
            PLAN_WORKFLOW,
            start,
            plan_workflow_id(start.execution),
            route.queue,
            Doorbell(seq, unheard=unheard),
            TypedSearchAttributes(
                [
                    SearchAttributePair(TENANT, route.tenant),
                    SearchAttributePair(STATE, "running"),
                    SearchAttributePair(EXECUTION, start.execution),
                ]
            ),
            f"plan {start.execution}",
        )

    async def status(self, task_id: TaskId) -> str:
        """What Temporal says of a task's latest workflow: `running`, how it ended, or `lost` if there is none."""
        described = await self._describe(task_id)
        return described.status.name.lower() if described and described.status else "lost"

    async def at_work(self, task_id: TaskId) -> tuple[str, bool]:
        """`status`, and whether an activity of that workflow is scheduled or at work."""
        described = await self._describe(task_id)
        if described is None or described.status is None:
            return "lost", False
        return described.status.name.lower(), bool(described.raw_description.pending_activities)

    async def pending(self, task_id: TaskId) -> list[Pending]:
        """The activities of a task's workflow that are scheduled or at work."""
        described = await self._describe(task_id)
        return [_pending(info) for info in described.raw_description.pending_activities] if described else []

    async def last_poll(self, queue: str) -> datetime | None:
        """When a worker last asked for a workflow task of a task queue; None if none did for some minutes."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        async with self._translated():
            answer = await self._client.workflow_service.describe_task_queue(request)
        return max((_time(poller.last_access_time) for poller in answer.pollers), default=None)

    async def ended_from_outside(self, since: datetime) -> list[Closed]:
        """Runs of tasks that ended since then in a way that no workflow of Baton's ends by itself."""
        query = (
            f"WorkflowType = '{TASK_WORKFLOW}' AND CloseTime >= '{since.isoformat(timespec='seconds')}' AND "
            "ExecutionStatus IN ('Terminated', 'Canceled', 'Failed', 'TimedOut')"
        )
        found: list[Closed] = []
        async with self._translated():
            async for run in self._client.list_workflows(query, limit=_LISTED):
                tenant, task_id = run.typed_search_attributes.get(TENANT), task_of_workflow(run.id)
                if tenant and task_id and run.status:
                    found.append(Closed(tenant, task_id, run.run_id, run.status.name.lower()))
        return found

    async def _describe(self, task_id: TaskId) -> WorkflowExecutionDescription | None:
        handle = self._client.get_workflow_handle(task_workflow_id(str(task_id)))
        async with self._translated():
            try:
                return await handle.describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return None
                raise

    @asynccontextmanager
    async def _translated(self) -> AsyncGenerator[None]:
        """The one translation of the client's errors."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                yield
        except RPCError as error:
            if error.status in _REFUSALS:
                raise TemporalRefused(error.status.name) from error
            raise Unavailable(f"Temporal cannot be reached ({error.status.name})") from error
        except TimeoutError as error:
            raise Unavailable("Temporal does not answer") from error
        except RuntimeError as error:
            if not str(error).startswith(_NOT_CONNECTED):
                raise
            raise Unavailable("Temporal cannot be reached") from error

    async def is_well(self) -> bool:
        """Whether Temporal answers."""
        try:
            async with self._translated():
                return await self._client.service_client.check_health()
        except (Unavailable, TemporalRefused):
            return False

    async def _signal(self, workflow_id: str, ring: Doorbell) -> bool:
        """Ring a workflow that runs; False if none does."""
        handle = self._client.get_workflow_handle(workflow_id)
        async with self._translated():
            try:
                await handle.signal("doorbell", ring)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return False
                raise
        return True

    async def _signal_with_start(
        self,
        workflow: str,
        start: object,
        workflow_id: str,
        queue: str,
        ring: Doorbell,
        attributes: TypedSearchAttributes,
        summary: str,
    ) -> None:
        async with self._translated():
            await self._client.start_workflow(
                workflow,
                start,
                id=workflow_id,
                task_queue=queue,
                start_signal="doorbell",
                start_signal_args=[ring],
                search_attributes=attributes,
                static_summary=summary,
            )


def task_of_workflow(workflow_id: str) -> TaskId | None:
    """The task that a workflow serves; None for an id that Baton did not give: others may start workflows, too."""
    prefix = task_workflow_id("")
    if not workflow_id.startswith(prefix):
        return None
    try:
        task_id = UUID(workflow_id.removeprefix(prefix))
    except ValueError:
        return None
    return task_id if workflow_id == task_workflow_id(str(task_id)) else None


def _pending(info: PendingActivityInfo) -> Pending:
    waits = info.HasField("next_attempt_schedule_time")
    return Pending(
        activity=info.activity_type.name,
        attempt=info.attempt,
        started_at=_time(info.last_started_time) if info.HasField("last_started_time") else None,
        heartbeat_at=_time(info.last_heartbeat_time) if info.HasField("last_heartbeat_time") else None,
        next_at=_time(info.next_attempt_schedule_time) if waits else None,
        failure=info.last_failure.application_failure_info.type or info.last_failure.message or None,
    )


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
