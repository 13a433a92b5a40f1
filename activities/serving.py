"""The worker of a task queue, and how several of them stop together."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, TypedDict

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Interceptor, PollerBehaviorSimpleMaximum, Worker, WorkerDeploymentConfig

from activities.interrupts import Interrupts
from activities.slots import WorkerSlots
from activities.sticky import RecentRuns, StickyQueue
from baton.runtime.build import build_id
from baton.settings import Settings
from workflows.runner import sandbox

#: Slots beyond those of the steps: for what is handed back, and for activities that only write.
_SPARE_SLOTS: Final = 100
_STICKY_TIMEOUT: Final = timedelta(seconds=2)
#: Of the drain: where nothing has come for so long, hardly anything does.
_QUIET: Final = 0.5
#: What has been at work for so many drains is not about to end within one.
_LONG: Final = 4
#: In which Temporal notices that requests were broken off. A step that is handed over before may come back by one.
_NOTICED_SECONDS: Final = 0.05
#: How long a worker that is to stop at once may take to say so to PostgreSQL and Temporal.
_AT_ONCE_SECONDS: Final = 3.0

_log = logging.getLogger(__name__)


class Stop:
    """What tells a worker to stop: ``asked`` to do so as it should, ``at_once`` to do so whatever it costs."""

    def __init__(self, asked: asyncio.Event | None = None) -> None:
        self.asked = asked or asyncio.Event()
        self.at_once = asyncio.Event()

    @classmethod
    def by_signals(cls) -> "Stop":
        """SIGTERM and SIGINT ask; another one means at once."""
        stop = cls()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.signalled)
        return stop

    def signalled(self) -> None:
        """Stop, or stop at once if that was said before."""
        (self.at_once if self.asked.is_set() else self.asked).set()


class Served:
    """The worker of one task queue, and its slots."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        queue: str,
        workflows: Sequence[type],
        activities: Sequence[Callable[..., Awaitable[object]]],
        interceptors: Sequence[Interceptor],
        recent: RecentRuns,
        *,
        fail_fast: bool,
    ) -> None:
        self._own = StickyQueue(client, queue, settings.worker_identity or client.identity, recent)
        self.slots = WorkerSlots(
            queue, settings.max_concurrent_workflow_tasks, settings.max_concurrent_activities + _SPARE_SLOTS
        )
        self.worker = Worker(
            client,
            task_queue=queue,
            workflows=workflows,
            activities=activities,
            workflow_runner=sandbox(),
            workflow_failure_exception_types=[Exception] if fail_fast else [],
            interceptors=[*interceptors, recent],
            identity=settings.worker_identity,
            **_code(settings),
            max_cached_workflows=settings.max_cached_workflows,
            tuner=self.slots.tuner,
            # Half are for runs that are new to this worker: with one poller, as it comes, those would wait for each
            # other.
            workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(settings.workflow_task_pollers),
            nonsticky_to_sticky_poll_ratio=0.5,
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(settings.activity_task_pollers),
            max_activities_per_second=settings.activities_per_second,
            max_task_queue_activities_per_second=settings.queue_activities_per_second,
            # A step that is interrupted or whose worker dies is to be known soon.
            max_heartbeat_throttle_interval=timedelta(seconds=1),
            default_heartbeat_throttle_interval=timedelta(seconds=1),
            # What the cache of a killed worker held is offered to the others after so long.
            sticky_queue_schedule_to_start_timeout=_STICKY_TIMEOUT,
            graceful_shutdown_timeout=timedelta(seconds=settings.worker_shutdown_seconds),
        )

    async def ask_no_more(self, quiet: float) -> None:
        """Ask Temporal for nothing more, and wait until what was asked for has come, or nothing has for ``quiet``
        seconds. `worker.shutdown` is to follow at once."""
        await self.slots.close(quiet, self._own)


class _Code(TypedDict, total=False):
    build_id: str
    deployment_config: WorkerDeploymentConfig


def _code(settings: Settings) -> _Code:
    """What Temporal is told of the code. Runs go on with whichever build there is, see docs/runbooks/deploy.md."""
    build = settings.build_id or build_id()
    if settings.deployment is None:
        return {"build_id": build}
    # Not on the workflows themselves: a worker without a deployment hangs with a behaviour there.
    config = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
    return {"deployment_config": config}


async def stop_workers(workers: Sequence[Served], interrupts: Interrupts, told: Stop, drain_seconds: float) -> bool:
    """Stop workers without a pause for what they run: False where that took too long after it was said `at_once`.

    ``drain_seconds``: for short steps to end. See `docs/adr/0030-steps-are-handed-over.md`.
    """
    _log.info("stopping: no more work is asked for")
    loop = asyncio.get_running_loop()
    until = loop.time() + drain_seconds
    at_once = asyncio.create_task(told.at_once.wait())
    try:
        if drain_seconds:
            asking = [asyncio.create_task(served.ask_no_more(drain_seconds * _QUIET)) for served in workers]
            await _all_or(at_once, *asking)
        ending = [asyncio.create_task(served.worker.shutdown()) for served in workers]
        if drain_seconds:
            await asyncio.sleep(_NOTICED_SECONDS)
            interrupts.hand_over_long(drain_seconds * _LONG)
            await _all_or(at_once, *ending, seconds=until - loop.time())
        interrupts.hand_over()
        if await _all_or(at_once, *ending):
            return True
        _log.warning("stopping at once: model calls under way are thrown away")
        interrupts.hand_over(even_dear=True)
        _, left = await asyncio.wait(ending, timeout=_AT_ONCE_SECONDS)
        return not left
    finally:
        at_once.cancel()


async def _all_or(stop: asyncio.Task[bool], *tasks: asyncio.Task[Any], seconds: float | None = None) -> bool:
    """Wait for all ``tasks``, or for ``stop``, ``seconds`` at most; whether all are done."""
    left: set[asyncio.Task[Any]] = set(tasks)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while left and not stop.done():
                await asyncio.wait({stop, *left}, return_when=asyncio.FIRST_COMPLETED)
                left = {task for task in left if not task.done()}
    return not left
