"""The one event vocabulary: what an execution's log says. Dialects are encoders of it.

An event's body says what happened: one frozen class per type, whose fields are those of the stored JSON. A field with a
default is one that older logs may lack. An execution's events are numbered 1, 2, 3, … without gaps.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from baton.domain.events.asking import (
    ApprovalAsked,
    ApprovalDecided,
    QuestionAsked,
    QuestionEscalated,
    QuestionReminded,
)
from baton.domain.events.executions import (
    ExecutionChanged,
    ExecutionCreated,
    TaskCancelled,
    TaskFailed,
    TaskPaused,
    TaskRepaired,
    TaskReset,
    TaskResumed,
    TasksStarted,
    TaskStarted,
    WorkflowLost,
    WorkflowReplaced,
)
from baton.domain.events.messages import (
    MessageAccepted,
    MessageEdited,
    MessagePinned,
    MessageRedriven,
    MessagesDead,
    MessageWithdrawn,
)
from baton.domain.events.parts import AskedApproval, AskedQuestion, PausedTask, WaitingTask
from baton.domain.events.turns import (
    ContextCompacted,
    ContextRestored,
    NoteWritten,
    ReasoningDelta,
    StepCompleted,
    StepFailed,
    StepStarted,
    StepUsed,
    StepVoided,
    TextDelta,
    ToolCompleted,
    ToolStarted,
    TurnEnded,
    TurnStarted,
)
from baton.domain.events.types import EventType as EventType
from baton.domain.json import JsonObject
from baton.domain.states import ExecutionState, TaskState


@dataclass(frozen=True, slots=True)
class Unknown:
    """What this code cannot read: newer code wrote it, which shares the database while it is rolled out."""

    type: str
    data: JsonObject


KnownBody: TypeAlias = (
    ExecutionCreated
    | ExecutionChanged
    | TaskStarted
    | TasksStarted
    | TaskFailed
    | TaskReset
    | TaskPaused
    | TaskResumed
    | TaskCancelled
    | TaskRepaired
    | WorkflowLost
    | WorkflowReplaced
    | MessageAccepted
    | MessageEdited
    | MessageWithdrawn
    | MessageRedriven
    | MessagePinned
    | MessagesDead
    | TurnStarted
    | StepStarted
    | StepVoided
    | TextDelta
    | ReasoningDelta
    | StepCompleted
    | StepFailed
    | StepUsed
    | ToolStarted
    | ToolCompleted
    | NoteWritten
    | ContextCompacted
    | ContextRestored
    | TurnEnded
    | QuestionAsked
    | QuestionReminded
    | QuestionEscalated
    | ApprovalAsked
    | ApprovalDecided
)
Body: TypeAlias = KnownBody | Unknown


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be appended; its number and time are given when it is."""

    body: KnownBody
    task_id: UUID | None = None
    task_state: TaskState | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of an execution's log. ``position`` is the task's integer in its plan.

    ``task_state`` and ``execution_state`` are the states that it brought about, None where they did not change.
    ``data`` is what the log has of all this, for who passes it on as it is. What other events say is here only where
    somebody has looked it up (`baton.service.waiting.with_waiting`): the ``questions`` and ``approvals`` that the body
    names by id, and the tasks that are ``waiting`` and ``paused`` once an execution has come to wait. ``pruned``: a
    step was completed, whose text the log has in no pieces any more.
    """

    seq: int
    at: datetime
    body: Body
    data: JsonObject
    task_id: UUID | None
    position: int | None
    task_state: TaskState | None
    execution_state: ExecutionState | None
    waiting: tuple[WaitingTask, ...] = ()
    paused: tuple[PausedTask, ...] = ()
    questions: tuple[AskedQuestion, ...] = ()
    approvals: tuple[AskedApproval, ...] = ()
    pruned: bool = False

    @property
    def type(self) -> str:
        """The name of its type: one of `EventType`, unless the body is `Unknown`."""
        return self.body.type
