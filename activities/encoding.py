"""Between what crosses Temporal and what the store knows."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from activities.details import of_waiting
from baton.agents.tools.registry import tool_names
from baton.domain.ids import StepKey
from baton.domain.mailbox import Standing, Then
from baton.domain.states import TaskState
from workflows.contracts import REST, STEP, TOOLS, CallRef, CancelTask, Outcome, StepRef, ToolRef, TurnFailed

_NEXT: Final = {Then.TOOLS: TOOLS, Then.STEP: STEP, Then.REST: REST}


def step_key(ref: StepRef | ToolRef | TurnFailed | CancelTask) -> StepKey:
    """The step that a reference names."""
    return StepKey(UUID(ref.ref.tenant), UUID(ref.ref.execution), UUID(ref.ref.task), ref.turn, ref.step)


def outcome(standing: Standing, *, words: bool) -> Outcome:
    """What a workflow is told. ``words``: whether it may know the beginning of the question that the task asks."""
    return Outcome(
        next=_NEXT[standing.then],
        turn=standing.turn,
        step=standing.step,
        seq=standing.box.version,
        state=standing.box.state,
        calls=[CallRef(call.id, call.name if call.name in tool_names() else "unknown tool") for call in standing.calls],
        details=of_waiting(standing.box, words=words) if standing.box.state is TaskState.WAITING else "",
        wake_seconds=_wake_seconds(standing),
    )


def _wake_seconds(standing: Standing) -> float | None:
    at = standing.box.next_timer
    if standing.box.state is not TaskState.WAITING or not at:
        return None
    return max(0.0, (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds())
