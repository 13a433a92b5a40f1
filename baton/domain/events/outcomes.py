"""What a task asks after an event, or has come to: several types say so, in the same fields."""

from dataclasses import dataclass
from typing import Final, assert_never

from baton.domain import events
from baton.domain.events import Body
from baton.domain.events.parts import AskedApproval, AskedQuestion


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """``questions`` and ``approvals`` are open; ``result`` and ``error``, a stable code, are those of a task's end."""

    questions: tuple[AskedQuestion, ...] = ()
    approvals: tuple[AskedApproval, ...] = ()
    result: str | None = None
    error: str | None = None


_NOTHING: Final = TaskOutcome()


def outcome_of(body: Body) -> TaskOutcome:
    """What a body says of that; nothing if it is about something else."""
    match body:
        case events.TurnEnded() | events.MessageWithdrawn():
            return TaskOutcome(body.questions, body.approvals, body.result, body.error)
        case events.TaskResumed(questions=questions, approvals=approvals):
            return TaskOutcome(questions, approvals)
        case events.TaskFailed(code=code):
            return TaskOutcome(error=code)
        case (
            events.ExecutionCreated()
            | events.ExecutionChanged()
            | events.TaskStarted()
            | events.TasksStarted()
            | events.TaskReset()
            | events.TaskPaused()
            | events.TaskCancelled()
            | events.TaskRepaired()
            | events.WorkflowLost()
            | events.WorkflowReplaced()
            | events.MessageAccepted()
            | events.MessageEdited()
            | events.MessageRedriven()
            | events.MessagesDead()
            | events.TurnStarted()
            | events.StepStarted()
            | events.StepVoided()
            | events.TextDelta()
            | events.StepCompleted()
            | events.StepFailed()
            | events.StepUsed()
            | events.ToolStarted()
            | events.ToolCompleted()
            | events.NoteWritten()
            | events.QuestionAsked()
            | events.QuestionReminded()
            | events.QuestionEscalated()
            | events.ApprovalAsked()
            | events.ApprovalDecided()
            | events.Unknown()
        ):
            return _NOTHING
        case _:
            assert_never(body)
