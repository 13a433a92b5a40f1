"""Runs that are stuck, because the code has changed under them or nobody runs their build, give way to others."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import pytest

import worker
from baton.domain.events import EventType
from baton.service.explain import explain_task
from tests.support.changed_workflows import ChangedPlanWorkflow, ChangedTaskWorkflow
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from tests.support.tools import calls_of
from workflows.agent_task import AgentTaskWorkflow
from workflows.plan import PlanWorkflow

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
    return [event.data for event in await system.log(execution) if event.type is EventType.WORKFLOW_REPLACED]


async def explained(system: System, task: UUID, code: str) -> dict[str, Any]:
    """Wait until `explain` gives this reason, the first of all; its data."""

    async def found() -> dict[str, Any] | None:
        reasons = (await explain_task(system.baton, system.who, task)).reasons
        return reasons[0].data if reasons and reasons[0].code == code else None

    return await eventually(found, 30)


async def turn_is_at(system: System, tasks: Sequence[UUID], turn: int) -> bool:
    rows = [await system.row(task) for task in tasks]
    return all(row["turn"] == turn and row["state"] == "waiting" for row in rows)


async def test_tasks_and_plans_go_on_by_themselves_under_changed_code_and_back(
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
        for turn, code in enumerate((CHANGED, OURS), start=2):
            async with worker_of(system, code, monkeypatch):
                called = len(calls_of(calling))
                await system.send(asking, "!ask and now?")
                await system.send((plan, turn - 1), "!finish it")
                why = await explained(system, asking, "workflow_stuck")
                assert why["cause"] == "NonDeterministicError"
                await eventually(lambda turn=turn: turn_is_at(system, [asking], turn), 30)
                await eventually(lambda called=called: _has_called(calling, called + 2), 30)
                if turn == 2:
                    await eventually(lambda: _has_state(system, plan, 2, "waiting"), 30)
        for execution in (await system.execution_of(asking), await system.execution_of(calling), plan):
            events = await replaced(system, execution)
            assert 1 <= len(events) <= 4
            assert {event["cause"] for event in events} == {"NonDeterministicError"}
        assert "another run takes the place of that of task" in caplog.text
        assert "another run takes the place of that of plan" in caplog.text


async def _has_called(task: UUID, times: int) -> bool:
    return len(calls_of(task)) >= times


async def _has_state(system: System, execution: UUID, position: int, state: str) -> bool:
    return (await system.tasks_of(execution))[position]["state"] == state
