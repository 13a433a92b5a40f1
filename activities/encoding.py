"""Between what crosses Temporal and what the store knows."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from baton.agents.tools.registry import tool_names
from baton.domain.conversation import Question
from baton.domain.doubts import is_about_call
from baton.domain.ids import StepKey
from baton.domain.mailbox import Standing, Then
from baton.domain.states import TaskState
from workflows.contracts import REST, STEP, TOOLS, CallRef, CancelTask, Outcome, StepRef, ToolRef, TurnFailed

#: Of a question, Temporal's UI shows so many characters.
DETAILS_CHARACTERS: Final = 200

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
        details=_details(standing, words=words),
        wake_seconds=_wake_seconds(standing),
    )


def _wake_seconds(standing: Standing) -> float | None:
    at = standing.box.next_timer
    if standing.box.state is not TaskState.WAITING or not at:
        return None
    return max(0.0, (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds())


def _asked(question: Question) -> str:
    """A question as Temporal may show it: of one about a call not the arguments."""
    return question.text.partition("\n")[0] if is_about_call(question) else question.text


def _details(standing: Standing, *, words: bool) -> str:
    """What a waiting task asks, since when, and who may answer. Of a tool call never its arguments."""
    box = standing.box
    if box.state is not TaskState.WAITING:
        return ""
    since = min((asked.asked_at for asked in (*box.questions, *box.approvals)), default="")[:19]
    said: list[str] = []
    if box.questions:
        text = " / ".join(map(_asked, box.questions)) if words else f"{len(box.questions)} question(s)"
        said.append(f"asks: {text[:DETAILS_CHARACTERS]}")
    if box.approvals:
        calls = ", ".join(f"{approval.tool} ({approval.call_id})" for approval in box.approvals)
        said.append(f"wants to call: {calls[:DETAILS_CHARACTERS]}")
    return f"{'; '.join(said)} (since {since}Z; any key of the tenant with tasks:send may answer)"
