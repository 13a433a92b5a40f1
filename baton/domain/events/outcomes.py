"""What a task asks after an event, or has come to: several types say so, in the same fields."""

from dataclasses import dataclass
from typing import Final, assert_never

from baton.domain import events
from baton.domain.events import Body, Event
from baton.domain.events.parts import AskedApproval, AskedQuestion
from baton.domain.json import JsonValue
from baton.domain.results import as_text


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """``questions`` and ``approvals`` are open; ``output`` and ``error``, a stable code, are those of a task's end."""

    questions: tuple[AskedQuestion, ...] = ()
    approvals: tuple[AskedApproval, ...] = ()
    output: JsonValue = None
    error: str | None = None

    @property
    def result(self) -> str | None:
        """The output as text."""
        return as_text(self.output)


_NOTHING: Final = TaskOutcome()


def open_ids(body: Body) -> tuple[str, ...]:
    """The ids of the questions and approvals that are open after an event."""
    match body:
        case events.TurnEnded() | events.MessageWithdrawn() | events.TaskResumed():
            return (*body.open_questions, *body.open_approvals)
        case _:
            return ()


def outcome_of(event: Event) -> TaskOutcome:
    """What an event says of that; nothing if it is about something else. What it names by id has to be looked up."""
    match body := event.body:
        case events.TurnEnded() | events.MessageWithdrawn():
            return TaskOutcome(
                event.questions or body.questions, event.approvals or body.approvals, body.result, body.error
            )
        case events.TaskResumed(questions=questions, approvals=approvals):
            return TaskOutcome(event.questions or questions, event.approvals or approvals)
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
            | events.MessagePinned()
            | events.MessagesDead()
            | events.TurnStarted()
            | events.StepStarted()
            | events.StepVoided()
            | events.TextDelta()
            | events.ReasoningDelta()
            | events.StepCompleted()
            | events.StepFailed()
            | events.StepUsed()
            | events.ToolStarted()
            | events.ToolCompleted()
            | events.NoteWritten()
            | events.ContextCompacted()
            | events.ContextRestored()
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
