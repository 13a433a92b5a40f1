"""The bare workflow's worker: `python -m bench.bare_worker`. Its settings are those of Baton's worker."""

import asyncio
import signal
from datetime import timedelta

from temporalio.worker import Worker

from bench.bare import QUEUE, BareWorkflow, bare_turn
from bench.marks import MarkActivities
from cli.garbage import freeze_start
from cli.process import leave
from service.temporal import connect
from settings import load_settings


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
