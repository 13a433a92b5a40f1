"""Whether this code can go on with what runs: histories of running workflows are replayed against it.

Temporal replays a run's history whenever a worker takes it up anew, and code that would decide otherwise than the code
before it cannot go on. Tasks wait for weeks, so what a deploy meets is what has been started since then: runs of every
type, state and age are sampled.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from baton.domain.json import JsonObject
from baton.domain.states import TaskState
from baton.service.temporal import names_no_namespace, translated
from workflows.agent_task import AgentTaskWorkflow
from workflows.contracts import PLAN_WORKFLOW, TASK_WORKFLOW
from workflows.plan import PlanWorkflow
from workflows.runner import sandbox

OURS: Final = (AgentTaskWorkflow, PlanWorkflow)
_CALL_SECONDS: Final = 30.0
#: Runs that started in each of these are sampled apart: they were begun by different code.
_AGES: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))
#: What sets runs apart in one state, by the events that they have.
_TRAITS: Final = {
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: "cancel",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED: "interrupt",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "failure",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "timeout",
    EventType.EVENT_TYPE_MARKER_RECORDED: "patch",
}
#: What people send from Temporal's own UI or CLI; others are dropped.
_SIGNALS: Final = frozenset({"user_message", "decide", "cancel", "continue_task_signal"})


@dataclass(frozen=True, slots=True)
class Replayed:
    """One run that was replayed. ``traits``: what its history holds beside turns. ``error``: why it could not be, "" if
    it could; it names events and activities, and nothing that people wrote."""

    workflow: str
    state: str
    traits: tuple[str, ...]
    workflow_id: str
    run_id: str
    error: str = ""

    @property
    def shape(self) -> tuple[str, str, tuple[str, ...]]:
        """Runs of one shape have come the same ways."""
        return self.workflow, self.state, self.traits


@dataclass(frozen=True, slots=True)
class RunShape:
    """The runs of a shape that were replayed, and those of them that could not be."""

    workflow: str
    state: str
    traits: tuple[str, ...]
    replayed: int
    failed: tuple[Replayed, ...]


class Replays:
    """Replays histories against ``workflows``, by default those of this code."""

    def __init__(self, workflows: Sequence[type] = OURS) -> None:
        self._replayer = Replayer(workflows=workflows, workflow_runner=sandbox())

    async def of_namespace(self, client: Client, per_kind: int, queue: str | None = None) -> AsyncIterator[Replayed]:
        """Replay running workflows of every type, state and age, the newest ``per_kind`` of each.

        ``queue``: those of a task queue alone. Raises like `baton.service.temporal.translated`.
        """
        for workflow, state, age in product((TASK_WORKFLOW, PLAN_WORKFLOW), TaskState, _age_ranges()):
            query = f"WorkflowType = '{workflow}' AND BatonState = '{state}' AND ExecutionStatus = 'Running'{age}"
            if queue is not None:
                query += f" AND TaskQueue = '{queue}'"
            async with translated(_CALL_SECONDS):
                found = [(run.id, run.run_id) async for run in client.list_workflows(query, limit=per_kind)]
            for workflow_id, run_id in found:
                history = await _history(client, workflow_id, run_id)
                if history is not None:
                    yield await self.of_history(history, workflow, state)

    async def of_files(self, paths: Sequence[Path]) -> AsyncIterator[Replayed]:
        """Replay recorded histories, JSON files or directories of them. Raises ValueError for what is none."""
        for path in paths:
            for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
                try:
                    history = WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))
                except ValueError as error:
                    raise ValueError(f"{file} is not a workflow's history: {error}") from error
                yield await self.of_history(history)

    async def of_history(self, history: WorkflowHistory, workflow: str = "", state: str = "recorded") -> Replayed:
        """Replay one history."""
        started = history.events[0].workflow_execution_started_event_attributes
        result = await self._replayer.replay_workflow(history, raise_on_replay_failure=False)
        return Replayed(
            workflow or started.workflow_type.name,
            state,
            _traits(history.events),
            history.workflow_id,
            started.original_execution_run_id,
            _why(result.replay_failure) if result.replay_failure else "",
        )


def report(found: Sequence[RunShape]) -> JsonObject:
    """The shapes that were replayed, and each run that could not be, as JSON."""
    failed = [one for shape in found for one in shape.failed]
    return {
        "replayed": sum(shape.replayed for shape in found),
        "failed": [{"workflow_id": one.workflow_id, "run_id": one.run_id, "error": one.error} for one in failed],
        "shapes": [
            {
                "workflow": shape.workflow,
                "state": shape.state,
                "traits": list(shape.traits),
                "replayed": shape.replayed,
                "failed": len(shape.failed),
            }
            for shape in found
        ],
    }


def shapes(replayed: Sequence[Replayed]) -> list[RunShape]:
    """What was replayed, by shape."""
    counted = Counter(one.shape for one in replayed)
    return [
        RunShape(*shape, times, tuple(one for one in replayed if one.shape == shape and one.error))
        for shape, times in sorted(counted.items())
    ]


def _age_ranges() -> list[str]:
    """Conditions on when a run started, that share no run and leave none out."""
    now = datetime.now(UTC)
    limits = [f"'{(now - age).isoformat(timespec='seconds')}'" for age in _AGES]
    newest, oldest = f" AND StartTime >= {limits[0]}", f" AND StartTime < {limits[-1]}"
    between = [f" AND StartTime < {younger} AND StartTime >= {older}" for younger, older in pairwise(limits)]
    return [newest, *between, oldest]


async def _history(client: Client, workflow_id: str, run_id: str) -> WorkflowHistory | None:
    async with translated(_CALL_SECONDS):
        try:
            return await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and not names_no_namespace(error):
                return None  # it has ended since
            raise


def _traits(events: Sequence[HistoryEvent]) -> tuple[str, ...]:
    found = {_TRAITS[event.event_type] for event in events if event.event_type in _TRAITS}
    signals = (event.workflow_execution_signaled_event_attributes.signal_name for event in events)
    activities = (event.activity_task_scheduled_event_attributes.activity_type.name for event in events)
    found.update(name for name in signals if name in _SIGNALS)
    found.update(name for name in activities if name not in ("", "model_step", "advance_plan"))
    if events[0].workflow_execution_started_event_attributes.continued_execution_run_id:
        found.add("continued")
    return tuple(sorted(found))


def _why(error: Exception) -> str:
    """What stopped a replay. Only Temporal's own words are repeated: an exception of workflow code might hold more."""
    if isinstance(error, NondeterminismError):
        return f"NonDeterminismError: {' '.join(str(error).split())[:300]}"
    return type(error).__name__
