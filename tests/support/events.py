"""Events for tests, built through the classes that the product builds them with."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from baton.domain import events
from baton.domain.approvals import ApprovalState
from baton.domain.authors import Author, AuthorKind
from baton.domain.compactions import CompactionReason, LeftOut
from baton.domain.conversation import ToolCall, Usage
from baton.domain.events import Body, Event, KnownBody, NewEvent, Unknown
from baton.domain.events.codec import CLASSES, encode
from baton.domain.events.executions import PlannedTask
from baton.domain.events.parts import AskedApproval, AskedQuestion, MessageRef, PausedTask, WaitingTask
from baton.domain.mailbox import Ending
from baton.domain.states import ExecutionState, TaskState

AT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TASK: Final = UUID(int=2)
MESSAGE: Final = UUID(int=9)

_AUTHOR: Final = Author(AuthorKind.KEY, "k", "me")
_REF: Final = MessageRef(message_id=MESSAGE, seq=3)
_QUESTION: Final = AskedQuestion(question_id="q1", text="Which?", choices=("a", "b"), schema={"type": "string"})
_APPROVAL: Final = AskedApproval(
    turn=1, step=0, call_id="c", approval_id="a1", tool="write", arguments={"path": "x"}, digest="d"
)
#: By id, and in full as older code wrote it.
_ASKED: Final[dict[str, Any]] = {
    "open_questions": ("q1",),
    "open_approvals": ("a1",),
    "questions": (_QUESTION,),
    "approvals": (_APPROVAL,),
}

#: One body of each type, with no field left at its default.
SAMPLES: Final[tuple[KnownBody, ...]] = (
    events.ExecutionCreated(title="A plan", tasks=(PlannedTask(id=TASK, position=4, title="A task"),)),
    events.ExecutionChanged(was="running"),
    events.TaskStarted(title="A task"),
    events.TasksStarted(tasks=(1, 2)),
    events.TaskFailed(code="dependency_failed"),
    events.TaskReset(),
    events.TaskPaused(by="me", author=_AUTHOR),
    events.TaskResumed(by="me", author=_AUTHOR, **_ASKED),
    events.TaskCancelled(by="me", author=_AUTHOR, reason="no need"),
    events.TaskRepaired(what="unclaimed"),
    events.WorkflowLost(status="terminated"),
    events.WorkflowReplaced(cause="NonDeterministicError", failures=3, run_id="r"),
    events.MessageAccepted(
        message_id=MESSAGE,
        seq=3,
        text="x",
        origin="baton",
        sender="me",
        author=_AUTHOR,
        answers=("q1",),
        decides=("a1",),
        queued=True,
    ),
    events.MessageEdited(message_id=MESSAGE, seq=3, text="x"),
    events.MessageWithdrawn(
        message_id=MESSAGE,
        seq=3,
        result="done",
        error="boom",
        **_ASKED,
    ),
    events.MessageRedriven(
        message_id=MESSAGE,
        seq=4,
        was_seq=3,
        text="x",
        origin="baton",
        sender="me",
        author=_AUTHOR,
        answers=("q1",),
        decides=("a1",),
        queued=True,
    ),
    events.MessagePinned(message_id=MESSAGE, seq=3, pinned=True, by="me", author=_AUTHOR),
    events.MessagesDead(messages=(_REF,), reason="task_cancelled"),
    events.TurnStarted(turn=1, messages=(_REF,)),
    events.StepStarted(turn=1, step=0),
    events.StepVoided(turn=1, step=0, attempt=1),
    events.TextDelta(turn=1, step=0, attempt=1, text="x"),
    events.ReasoningDelta(turn=1, step=0, attempt=1, text="x"),
    events.StepCompleted(
        turn=1, step=0, text="x", calls=(ToolCall(id="c", name="clock", arguments={"a": 1}),), interrupted=True
    ),
    events.StepFailed(turn=1, step=0, attempt=1, code="boom", retrying=False),
    events.StepUsed(turn=1, step=0, attempt=1, usage=Usage(3, 2, 1, 1, 0.25, 1)),
    events.ToolStarted(turn=1, step=0, call_id="c", name="clock", arguments={"a": 1}),
    events.ToolCompleted(turn=1, step=0, call_id="c", name="clock", content=["noon", {"n": 1.5}], failed=True),
    events.NoteWritten(turn=1, step=0, call_id="c", name="key", text="x"),
    events.ContextCompacted(
        turn=3,
        step=0,
        number=1,
        reason=CompactionReason.WINDOW,
        kept_turn=2,
        kept_step=1,
        left_out=LeftOut(last_turn=2, messages=1, steps=2, calls=1),
        summary="x",
        model="test:model",
        usage=Usage(input_tokens=5, calls=1),
        by="me",
        author=_AUTHOR,
    ),
    events.ContextRestored(turn=3, step=0, number=1, by="me", author=_AUTHOR),
    events.TurnEnded(
        turn=1,
        outcome=Ending.FAILED,
        result="done",
        error="boom",
        messages=(_REF,),
        **_ASKED,
    ),
    events.QuestionAsked(question_id="q1", text="Which?", choices=("a", "b"), schema={"type": "string"}),
    events.QuestionReminded(question_id="q1", text="Which?", choices=("a", "b"), schema={"type": "string"}),
    events.QuestionEscalated(question_id="q1", text="Which?", choices=("a", "b"), schema={"type": "string"}),
    events.ApprovalAsked(
        turn=1, step=0, call_id="c", approval_id="a1", tool="write", arguments={"path": "x"}, digest="d"
    ),
    events.ApprovalDecided(
        turn=1,
        step=0,
        call_id="c",
        approval_id="a1",
        tool="write",
        decision=ApprovalState.APPROVED,
        by="me",
        author=_AUTHOR,
        reason="fine",
        arguments={"path": "y"},
        digest="e",
    ),
)
assert [type(body) for body in SAMPLES] == list(CLASSES.values()), "a sample of each type, in the order of the union"

#: What newer code may have written.
UNKNOWN: Final = Unknown("cost.estimated", {"turn": 1, "text": "x"})
#: One body of all that a reader may meet.
BODIES: Final[tuple[Body, ...]] = (*SAMPLES, UNKNOWN)


def event(
    body: Body,
    *,
    seq: int = 7,
    at: datetime = AT,
    task: UUID | None = TASK,
    state: TaskState | None = None,
    execution: ExecutionState | None = None,
    waiting: tuple[WaitingTask, ...] = (),
    paused: tuple[PausedTask, ...] = (),
) -> Event:
    """An entry of a log, as the store reads it. A task has the position 4."""
    data = body.data if isinstance(body, Unknown) else encode(NewEvent(body))
    return Event(seq, at, body, data, task, 4 if task else None, state, execution, waiting, paused)


def delta(text: str = "x", *, turn: int = 1, step: int = 0, attempt: int = 1) -> events.TextDelta:
    """A piece of streamed text."""
    return events.TextDelta(turn=turn, step=step, attempt=attempt, text=text)


def ended(turn: int = 1, outcome: Ending = Ending.ANSWERED) -> events.TurnEnded:
    """The end of a turn that says nothing else."""
    return events.TurnEnded(turn=turn, outcome=outcome)
