"""The worker process: runs workflows and activities of one task queue or several until it is told to stop.

`python worker.py`, or `baton worker`. SIGTERM and SIGINT let short steps end, leave those to other workers that cost
nothing to begin again, and give model calls under way some time (docs/adr/0030-steps-are-handed-over.md). A second
signal leaves those, too.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import NoReturn

import uvloop
from temporalio import workflow

from activities.approvals import ApprovalActivities
from activities.deltas import DeltaWriter
from activities.edge import ErrorsAsCodes
from activities.interrupts import Interrupts
from activities.messages import MessageActivities
from activities.plans import PlanActivities
from activities.questions import QuestionActivities
from activities.rings import Bellringer
from activities.serving import Served, Stop, stop_workers
from activities.shares import FairSteps
from activities.steps import StepActivities
from activities.sticky import RecentRuns
from activities.suspects import Suspects
from activities.tool_steps import ToolActivities
from baton.agents.catalog import own_catalog
from baton.agents.models import Models
from baton.agents.tools import ToolsUnusable, load_tools, tool_modules
from baton.domain.errors import Unavailable
from baton.domain.faults import EXIT_BUG, FAULTS, exit_code
from baton.domain.model_settings import ModelAccess
from baton.metrics import labels
from baton.metrics.page import MetricsPage
from baton.runtime.files import raise_file_limit
from baton.runtime.garbage import freeze_start
from baton.runtime.logging import configure
from baton.runtime.pages import PageServer
from baton.runtime.process import leave
from baton.runtime.startup import listen_or_exit, settings_or_exit
from baton.runtime.tracing import is_traced
from baton.service.catalog import Publisher
from baton.service.context import Core, open_core
from baton.service.health import WORKER_NEEDS, Monitor, health_pages
from baton.service.pruning import Keep
from baton.service.retention import Retention
from baton.service.sweeper import Sweeper
from baton.service.telemetry import core_runtime
from baton.settings import Settings
from baton.store.notify import INTERRUPTS, Listener
from workflows.agent_task import AgentTaskWorkflow
from workflows.callers import Callers
from workflows.plan import PlanWorkflow
from workflows.traces import SignalTraces

_log = logging.getLogger("baton.worker")


async def serve(
    settings: Settings, queue: str | None = None, *, stop: asyncio.Event | None = None, fail_fast: bool = False
) -> None:
    """Serve task queues until ``stop`` is set, or until SIGTERM or SIGINT. Waits for PostgreSQL and Temporal.

    ``queue``: serve that one alone. ``fail_fast``: a bug in workflow code fails the workflow, for tests; otherwise it
    waits for a worker without it. Ends the process where stopping at once takes too long.
    """
    tools = load_tools(settings.tools_modules)
    told = Stop(stop) if stop else Stop.by_signals()
    queues = (queue,) if queue else settings.worker_queues or (settings.task_queue,)
    health = Monitor("worker", settings, WORKER_NEEDS, queues)
    async with _pages(settings, health):
        core = await _open_patiently(settings, told.asked, health)
        if core is not None:
            await _work(core, queues, tools, told, health, fail_fast=fail_fast)


async def _work(
    core: Core, queues: Collection[str], tools: Collection[str], told: Stop, health: Monitor, *, fail_fast: bool
) -> None:
    """Serve task queues with the parts of ``core``, and close them."""
    settings = core.settings
    interrupts = Interrupts()
    listener = Listener(settings.dsn, INTERRUPTS, interrupts.heard)
    sweeper = Sweeper(
        core.pool,
        core.temporal,
        core.runs,
        core.notifier,
        interval_seconds=settings.sweep_interval_seconds,
        silent_seconds=settings.sweep_silent_seconds,
    )
    retention = Retention(core.pool, Keep(settings.retention_deltas, settings.retention_executions))
    publisher = Publisher(core.pool, own_catalog, queues)
    activities = _activities(core, interrupts)
    labels.tool.know(tools)
    traces = [SignalTraces()] if is_traced() else []
    interceptors = [ErrorsAsCodes(), FairSteps(settings.max_concurrent_activities), Callers(), *traces]
    recent = RecentRuns()
    workflows = [AgentTaskWorkflow, PlanWorkflow]
    workers = [
        Served(core.client, settings, name, workflows, activities, interceptors, recent, fail_fast=fail_fast)
        for name in dict.fromkeys(queues)
    ]
    core.start()
    listener.start()
    sweeper.start()
    retention.start()
    publisher.start()
    _log.info("serving the task queues %s with the tools %s", ", ".join(queues), ", ".join(tools))
    identity = settings.worker_identity or core.client.identity
    health.start(core.pool, core.client, core.relay.loop, sweeper.loop, identity=identity)
    freeze_start()
    try:
        async with AsyncExitStack() as running:
            for served in workers:
                await running.enter_async_context(served.worker)
            await told.asked.wait()
            health.drain()
            if not await stop_workers(workers, interrupts, told, settings.worker_drain_seconds):
                leave(1)
    finally:
        await health.close()
        await publisher.close()
        await retention.close()
        await sweeper.close()
        await listener.close()
        await core.close()
    _log.info("stopped")


@asynccontextmanager
async def _pages(settings: Settings, health: Monitor) -> AsyncGenerator[None]:
    """What operators and their tools may read of this process, if it has a port."""
    if settings.worker_port is None:
        yield
        return
    pages = {**health_pages(health), "/metrics": MetricsPage(core_runtime(metrics=True).metrics_url)}
    async with PageServer(listen_or_exit(settings.host, settings.worker_port), pages) as server:
        _log.info("health is at http://%s:%d/readyz", *server.address)
        yield


def _activities(core: Core, interrupts: Interrupts) -> list[Callable[..., Awaitable[object]]]:
    """What workflows call."""
    settings, pool, doorbell, hint = core.settings, core.pool, core.doorbell, core.notifier.events
    words = settings.temporal_details == "words"
    deltas = DeltaWriter(pool, hint, settings.delta_interval_seconds)
    suspects = Suspects(pool)
    steps = StepActivities(
        pool,
        Models(ModelAccess(settings.model_keys, settings.model_hosts)),
        deltas,
        interrupts,
        suspects,
        doorbell,
        hint,
        words=words,
        transcript_max_bytes=settings.transcript_max_bytes,
    )
    calls = ToolActivities(
        pool,
        interrupts,
        suspects,
        doorbell,
        hint,
        words=words,
        result_max_bytes=settings.transcript_max_bytes,
        artifact_bytes=settings.artifact_bytes,
    )
    bellringer = Bellringer(doorbell, hint, core.notifier.interrupt)
    typed = MessageActivities(pool, bellringer, words=words)
    approvals = ApprovalActivities(pool, bellringer, words=words)
    questions = QuestionActivities(pool, hint, words=words)
    plans = PlanActivities(pool, doorbell, hint, core.relay.wake, words=words)
    return [
        steps.model_step,
        calls.tool_step,
        steps.fail_turn,
        steps.cancel_task,
        typed.accept_message,
        approvals.decide_approvals,
        questions.tick,
        plans.advance_plan,
        plans.cancel_plan,
    ]


async def _open_patiently(settings: Settings, stop: asyncio.Event, health: Monitor) -> Core | None:
    """Open the parts, however long PostgreSQL and Temporal are away; None if the worker is told to stop before.

    Raises `Unavailable` for what does not pass, such as a wrong password.
    """
    said = ""
    while not stop.is_set():
        try:
            return await open_core(settings)
        except Unavailable as error:
            if error.fault and not FAULTS[error.fault].passes:
                raise
            health.waits(error)
            if str(error) != said:
                _log.warning("the worker waits: %s", error)
            said = str(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=1)
    return None


def main(queue: str | None = None) -> NoReturn:
    """Run the process to its end, which is here: taking down a Temporal client's threads can crash the interpreter."""
    settings = settings_or_exit()
    configure(settings.log_level, tool_modules(settings.tools_modules), form=settings.log_format)
    workflow.logger.workflow_info_on_message = False  # the ids among it are at the end of each line
    raise_file_limit()
    sys.path.append(os.getcwd())  # tools of one's own may lie there; nothing of ours is shadowed by them
    code = 0
    try:
        uvloop.run(serve(settings, queue))
    except ToolsUnusable as error:
        _log.error("the worker cannot start: %s: %s", error, FAULTS["tools_unusable"].remedy)
        code = exit_code("tools_unusable")
    except Unavailable as error:
        _log.error("the worker cannot start: %s", error)
        code = exit_code(error.fault)
    except Exception:  # noqa: BLE001 - the process's edge
        _log.exception("worker ended with an error")
        code = EXIT_BUG
    leave(code)


if __name__ == "__main__":
    main()
