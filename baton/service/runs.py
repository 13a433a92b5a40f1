"""What Temporal knows of the workflows that serve tasks and plans: who looks after a task asks here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    EventType,
    PendingActivityState,
    PendingWorkflowTaskState,
    TaskQueueType,
    TimeoutType,
    VersioningBehavior,
    WorkflowTaskFailedCause,
)
from temporalio.api.failure.v1 import ApplicationFailureInfo
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionSignaledEventAttributes
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionVersioningInfo
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from baton.domain.ids import TaskId
from baton.service.temporal import TENANT, names_no_namespace, translated
from workflows.contracts import NO_SLOT, TASK_WORKFLOW, TOOL_BUSY, task_workflow_id

#: Of the runs that were ended from outside, one look takes so many.
_LISTED: Final = 1000
#: Why a workflow task failed is said within so many events of the end of its history: signals may have come since.
_LAST_EVENTS: Final = 50
#: What a run that is stuck was sent is looked for among so many.
_UNHEARD_EVENTS: Final = 200
#: A workflow task that waits for a pinned build longer than that, while nobody of that build asks for work, waits for
#: workers that are gone. One on a sticky queue has been offered to the others by then.
_PINNED_WAIT: Final = timedelta(seconds=8)
#: Workers of two versions side by side, as while one is rolled out, may let a workflow task fail for a moment.
_LASTING: Final = timedelta(seconds=8)
#: A workflow task that no worker has answered may have met workers that were killed, or had too much to do.
_UNANSWERED: Final = 4
#: An activity that is tried again sooner than that is as good as at work.
_SOON: Final = timedelta(seconds=10)
#: In these states of an activity no worker has it.
_NOT_AT_WORK: Final = frozenset(
    {
        PendingActivityState.PENDING_ACTIVITY_STATE_UNSPECIFIED,
        PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
        PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED,
    }
)
_FAILED_CAUSE: Final = "WORKFLOW_TASK_FAILED_CAUSE_"
_COMPLETED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_FAILED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
_TIMED_OUT: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
_SIGNALED: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
_CANCELLED: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED

TIMED_OUT: Final = "WorkflowTaskTimedOut"
#: The cause of a run that is pinned to a build which nobody runs: no word of Temporal's, which says nothing of it.
BUILD_GONE: Final = "PinnedBuildWithoutWorkers"


@dataclass(frozen=True, slots=True)
class Pending:
    """An activity that is scheduled or at work (``at_work``: a worker has it). ``failure`` is the code of its last
    attempt's, ``next_at`` when it is tried again, ``busy`` how many steps kept it from a slot where that is
    `NO_SLOT`, and how many calls of its tool hang where that is `TOOL_BUSY`."""

    activity: str
    at_work: bool
    attempt: int
    started_at: datetime | None
    heartbeat_at: datetime | None
    next_at: datetime | None
    failure: str | None
    busy: int = 0


@dataclass(frozen=True, slots=True)
class Stuck:
    """A workflow task that does not succeed.

    ``cause`` is Temporal's word for why it failed (`NonDeterministicError`, …), `TIMED_OUT` or `BUILD_GONE`; ``error``
    the type of an exception in workflow code, "" for none. It has failed ``failures`` times in a row, ``since`` then.
    """

    cause: str
    error: str
    failures: int
    since: datetime

    @property
    def is_lasting(self) -> bool:
        """Whether another attempt is of no use: it has failed again, and not only for a moment."""
        if self.cause == BUILD_GONE:
            return True
        again = self.failures >= (_UNANSWERED if self.cause == TIMED_OUT else 2)
        return again and datetime.now(UTC) - self.since >= _LASTING

    @property
    def words(self) -> str:
        """Why, in a line."""
        if self.cause == BUILD_GONE:
            return "its workflow is pinned to a build that no worker runs"
        error = f", {self.error}" if self.error else ""
        return f"its workflow task has failed {self.failures} time(s) in a row ({self.cause}{error})"


@dataclass(frozen=True, slots=True)
class Run:
    """The latest run of a workflow. ``status`` is `running`, or Temporal's word for how it ended."""

    run_id: str
    status: str
    pending: tuple[Pending, ...]
    stuck: Stuck | None

    @property
    def has_worker(self) -> bool:
        """Whether a worker has an activity of it."""
        return any(pending.at_work for pending in self.pending)

    @property
    def at_work(self) -> bool:
        """Whether an activity is under way, or will be in a moment.

        Not one that is put off for long (a provider may ask for an hour), nor one that only a build which nobody runs
        could take up.
        """
        until = datetime.now(UTC) + _SOON
        nobody = self.stuck is not None and self.stuck.cause == BUILD_GONE
        return any(
            pending.at_work or not (nobody or (pending.next_at is not None and pending.next_at > until))
            for pending in self.pending
        )


@dataclass(frozen=True, slots=True)
class Unheard:
    """What people sent to a run that its workflow code has not been given: signals but doorbells, in their order, and
    whether it was asked to cancel."""

    signals: tuple[WorkflowExecutionSignaledEventAttributes, ...]
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """A run that was ended from outside. ``tenant`` is the tenant's name, ``status`` Temporal's word for the end."""

    tenant: str
    task_id: TaskId
    run_id: str
    status: str


class Runs:
    """Looks at runs. Every call raises like `baton.service.temporal.translated`."""

    def __init__(self, client: Client, timeout_seconds: float) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds

    async def look(self, workflow_id: str) -> Run | None:
        """The latest run of a workflow, None where Temporal does not know the workflow."""
        async with translated(self._timeout_seconds):
            try:
                described = await self._client.get_workflow_handle(workflow_id).describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND and not names_no_namespace(error):
                    return None
                raise
        raw = described.raw_description
        return Run(
            described.run_id,
            described.status.name.lower() if described.status else "lost",
            tuple(_pending(info) for info in raw.pending_activities),
            await self._stuck(raw) if raw.HasField("pending_workflow_task") else None,
        )

    async def unheard(self, workflow_id: str, run_id: str) -> Unheard:
        """What came to a run since its last workflow task that succeeded; of very much, the last."""
        events = await self._last_events(WorkflowExecution(workflow_id=workflow_id, run_id=run_id), _UNHEARD_EVENTS)
        signals = [
            e.workflow_execution_signaled_event_attributes for e in reversed(events) if e.event_type == _SIGNALED
        ]
        return Unheard(
            tuple(signal for signal in signals if signal.signal_name != "doorbell"),
            any(event.event_type == _CANCELLED for event in events),
        )

    async def last_poll(self, queue: str) -> datetime | None:
        """When a worker last asked for a workflow task of a task queue; None if none did for some minutes."""
        return max((_time(poller.last_access_time) for poller in await self._pollers(queue)), default=None)

    async def ended_from_outside(self, since: datetime) -> list[Closed]:
        """Runs of tasks that ended since then in a way that no workflow of Baton's ends by itself."""
        query = (
            f"WorkflowType = '{TASK_WORKFLOW}' AND CloseTime >= '{since.isoformat(timespec='seconds')}' AND "
            "(ExecutionStatus IN ('Terminated', 'Canceled', 'TimedOut') OR "
            "(ExecutionStatus = 'Failed' AND BatonState != 'failed'))"
        )
        found: list[Closed] = []
        async with translated(self._timeout_seconds):
            async for run in self._client.list_workflows(query, limit=_LISTED):
                tenant, task_id = run.typed_search_attributes.get(TENANT), task_of_workflow(run.id)
                if tenant and task_id and run.status:
                    found.append(Closed(tenant, task_id, run.run_id, run.status.name.lower()))
        return found

    async def _pollers(self, queue: str) -> Sequence[PollerInfo]:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        async with translated(self._timeout_seconds):
            return (await self._client.workflow_service.describe_task_queue(request)).pollers

    async def _stuck(self, raw: DescribeWorkflowExecutionResponse) -> Stuck | None:
        task, info = raw.pending_workflow_task, raw.workflow_execution_info
        if task.attempt > 1:
            return await self._failures(info.execution, task.attempt)
        waits = task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED
        build = _pinned_build(info.versioning_info)
        since = _time(task.scheduled_time)
        if not waits or build is None or datetime.now(UTC) - since < _PINNED_WAIT:
            return None
        for poller in await self._pollers(raw.execution_config.task_queue.name):
            asked = poller.deployment_options.deployment_name, poller.deployment_options.build_id
            if asked == build and _time(poller.last_access_time) > since:
                return None
        return Stuck(BUILD_GONE, "", 0, since)

    async def _failures(self, execution: WorkflowExecution, attempt: int) -> Stuck | None:
        """What a run's history shows of its last workflow tasks. It is given no message of theirs.

        The history has the first failure since something was last added to it; the attempts after that only count.
        """
        failed = [event for event in await self._last_events(execution, _LAST_EVENTS) if _has_failed(event)]
        if not failed:
            return None
        cause, error = next((_cause(event) for event in failed if event.event_type == _FAILED), (TIMED_OUT, ""))
        return Stuck(cause, error, len(failed) + attempt - 2, _time(failed[-1].event_time))

    async def _last_events(self, execution: WorkflowExecution, limit: int) -> list[HistoryEvent]:
        """The events since the last workflow task that succeeded, the newest first."""
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._client.namespace, execution=execution, maximum_page_size=limit
        )
        async with translated(self._timeout_seconds):
            answer = await self._client.workflow_service.get_workflow_execution_history_reverse(request)
        return list(takewhile(lambda event: event.event_type != _COMPLETED, answer.history.events))


def _has_failed(event: HistoryEvent) -> bool:
    """Whether a workflow task has failed, or was not answered by the worker that took it."""
    unanswered = event.workflow_task_timed_out_event_attributes.timeout_type == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
    return event.event_type == _FAILED or (event.event_type == _TIMED_OUT and unanswered)


def _cause(event: HistoryEvent) -> tuple[str, str]:
    """Why a workflow task failed, and the type of the error."""
    attributes = event.workflow_task_failed_event_attributes
    name = WorkflowTaskFailedCause.Name(attributes.cause).removeprefix(_FAILED_CAUSE)
    return name.title().replace("_", ""), attributes.failure.application_failure_info.type


def _pinned_build(info: WorkflowExecutionVersioningInfo) -> tuple[str, str] | None:
    """The deployment and build that a run is pinned to, None for any."""
    if info.versioning_override.HasField("pinned"):
        version = info.versioning_override.pinned.version
    elif info.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED:
        version = info.deployment_version
    else:
        return None
    return version.deployment_name, version.build_id


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
    failure = info.last_failure
    return Pending(
        activity=info.activity_type.name,
        at_work=info.state not in _NOT_AT_WORK,
        attempt=info.attempt,
        started_at=_time(info.last_started_time) if info.HasField("last_started_time") else None,
        heartbeat_at=_time(info.last_heartbeat_time) if info.HasField("last_heartbeat_time") else None,
        next_at=_time(info.next_attempt_schedule_time) if waits else None,
        failure=failure.application_failure_info.type or failure.message or None,
        busy=_busy(failure.application_failure_info),
    )


def _busy(info: ApplicationFailureInfo) -> int:
    """The one detail that `NO_SLOT` and `TOOL_BUSY` have."""
    if info.type not in (NO_SLOT, TOOL_BUSY):
        return 0
    (detail,) = info.details.payloads
    return int(detail.data)


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
