"""The bare workflow's worker: `python -m bench.bare_worker`. Its settings are those of Baton's worker."""

import asyncio
import signal
from datetime import timedelta

from temporalio.worker import Worker

from baton.runtime.garbage import freeze_start
from baton.runtime.process import leave
from baton.service.temporal import connect
from baton.settings import load_settings
from bench.bare import QUEUE, BareWorkflow, bare_turn
from bench.marks import MarkActivities


async def serve() -> None:
    """Serve until SIGTERM."""
    settings = load_settings()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    worker = Worker(
        await connect(),
        task_queue=QUEUE,
        workflows=[BareWorkflow],
        activities=[bare_turn],
        interceptors=[MarkActivities()],
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=3),
        graceful_shutdown_timeout=timedelta(seconds=1),
    )
    freeze_start()
    async with worker:
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
    leave(0)
