"""A worker's own (sticky) task queue, and how a worker that stops gives it up without losing what comes there.

Temporal gives a workflow's tasks first to the worker that has it in its cache, through a queue of that worker's own.
When the worker stops, the SDK has Temporal forget that queue, but breaks off its requests to it at the same time: a
workflow task that one of them was just answered with waits for its timeout. If Temporal forgets the queue before, open
requests end by themselves, with what they were given or with nothing, and what comes then goes to others at once.

The SDK keeps the queue's name to itself. It is in Temporal's histories of the workflows that the worker has served.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest, ShutdownWorkerRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

_STICKY: Final = TaskQueueKind.TASK_QUEUE_KIND_STICKY
#: Workflows of which the last activities of a queue were: that many are asked for the queue's name.
_REMEMBERED: Final = 8
#: Of a history, the end is enough.
_EVENTS: Final = 20
_RPC_TIMEOUT: Final = timedelta(seconds=0.5)

_log = logging.getLogger(__name__)


class RecentRuns(Interceptor):
    """Remembers, by task queue, whose activities ran in this process last: their workflows are in its cache."""

    def __init__(self) -> None:
        self._last: defaultdict[str, deque[tuple[str, str]]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Note an activity's workflow."""
        return _Noting(next, self)

    def note(self, queue: str, workflow_id: str, run_id: str) -> None:
        """An activity of this run came from ``queue``."""
        self._last[queue].append((workflow_id, run_id))

    def last(self, queue: str) -> list[WorkflowExecution]:
        """The runs that were noted last, the newest first, none twice."""
        runs = dict.fromkeys(reversed(self._last[queue]))
        return [WorkflowExecution(workflow_id=workflow_id, run_id=run_id) for workflow_id, run_id in runs]


class _Noting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, recent: RecentRuns) -> None:
        super().__init__(next)
        self._recent = recent

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        told = activity.info()
        self._recent.note(told.task_queue, told.workflow_id or "", told.workflow_run_id or "")
        return await super().execute_activity(input)


class StickyQueue:
    """The own queue of the worker with this identity that serves ``queue``."""

    def __init__(self, client: Client, queue: str, identity: str, recent: RecentRuns) -> None:
        self._client = client
        self._queue = queue
        self._identity = identity
        self._recent = recent

    async def name(self) -> str | None:
        """What Temporal calls it; None where no history of what was served last says so."""
        for run in self._recent.last(self._queue):
            request = GetWorkflowExecutionHistoryReverseRequest(
                namespace=self._client.namespace, execution=run, maximum_page_size=_EVENTS
            )
            try:
                page = await self._client.workflow_service.get_workflow_execution_history_reverse(
                    request, timeout=_RPC_TIMEOUT
                )
            except RPCError as error:  # deleted, or Temporal is away
                _log.debug("the history of %s cannot be read: %s", run.workflow_id, error.status.name)
                continue
            if found := sticky_queue(page.history.events, self._identity):
                return found
        return None

    async def forget(self, name: str) -> bool:
        """Have Temporal end the open requests to it, and offer to all workers what comes. Whether it does."""
        request = ShutdownWorkerRequest(
            namespace=self._client.namespace, sticky_task_queue=name, identity=self._identity, reason="stopping"
        )
        try:
            await self._client.workflow_service.shutdown_worker(request, timeout=_RPC_TIMEOUT)
        except RPCError as error:
            _log.warning("Temporal goes on offering workflow tasks to this worker: %s", error.status.name)
            return False
        return True


def sticky_queue(events: Iterable[HistoryEvent], identity: str) -> str | None:
    """The name of the own queue of the worker with ``identity``, by a history that it has served."""
    for event in events:
        queue = event.workflow_task_scheduled_event_attributes.task_queue
        if queue.kind == _STICKY and queue.name.startswith(f"{identity}-"):
            return queue.name
    return None
