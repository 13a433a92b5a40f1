"""The mailbox's rules: what a task does next, decided from its own row alone.

Pure: the store locks the row, asks here, and writes what was decided in the same transaction.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

from domain.conversation import Question, ToolCall
from domain.states import TaskState


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The columns of a task's row that decide.

    ``turn`` is the last turn begun, ``turn_open`` whether it is under way; ``accepted_seq`` is the last message
    accepted, ``unclaimed`` how many of them no turn has claimed; ``interrupt_turn`` the last turn asked to stop.
    """

    state: TaskState
    version: int
    turn: int
    turn_open: bool
    interrupt_turn: int
    accepted_seq: int
    unclaimed: int
    questions: tuple[Question, ...] = ()

    @property
    def has_unclaimed(self) -> bool:
        """Whether an accepted message waits for a turn."""
        return self.unclaimed > 0

    @property
    def next_timer(self) -> str:
        """When something is to happen although nobody answers: RFC 3339, "" for never."""
        return min((q.next_timer for q in self.questions if q.next_timer), default="")

    def interrupted(self, turn: int) -> bool:
        """Whether ``turn`` was asked to stop."""
        return self.interrupt_turn >= turn


class Next(Enum):
    """What a worker that comes with (turn, step) is to do."""

    BEGIN = auto()  #: begin the turn: claim what was accepted
    WORK = auto()  #: the turn is under way: take the step, unless it is recorded
    NEXT_TURN = auto()  #: that turn is over and another is due
    REST = auto()  #: nothing is due


def next_for(box: Mailbox, turn: int, step: int) -> Next:
    """What a worker that comes with (``turn``, ``step``) is to do.

    It may come late (the turn is over) or twice (a retry): PostgreSQL's position counts, not the worker's.
    """
    if box.turn_open:
        return Next.WORK if turn == box.turn else Next.NEXT_TURN
    if box.state is not TaskState.RUNNING:
        return Next.REST
    return Next.BEGIN if turn == box.turn + 1 and step == 0 else Next.NEXT_TURN


def due(box: Mailbox) -> tuple[int, int] | None:
    """(turn, step) that is due, or None where the task rests. Recorded steps of an open turn answer for themselves."""
    if box.turn_open:
        return box.turn, 0
    return (box.turn + 1, 0) if box.state is TaskState.RUNNING else None


class Ending(Enum):
    """How a turn came to its end."""

    ANSWERED = auto()  #: the model had nothing more to do
    INTERRUPTED = auto()
    FAILED = auto()


def begin(box: Mailbox) -> Mailbox:
    """Begin the next turn: all messages accepted so far are its own."""
    return replace(box, version=box.version + 1, turn=box.turn + 1, turn_open=True, unclaimed=0)


def end(box: Mailbox, ending: Ending, asked: tuple[Question, ...] = ()) -> Mailbox:
    """End the open turn, with the questions that it ``asked``.

    A message that was accepted meanwhile keeps the task running: nothing closes over it. It does not answer a question
    that was asked after it was accepted, so that the question stays open through the next turn.
    """
    questions = box.questions + asked
    return replace(
        box, version=box.version + 1, turn_open=False, questions=questions, state=_after(box, ending, questions)
    )


def _after(box: Mailbox, ending: Ending, questions: tuple[Question, ...]) -> TaskState:
    if box.state is TaskState.PAUSED or box.has_unclaimed:
        return box.state
    if ending is Ending.INTERRUPTED:
        return box.state  # running again: it was resumed before the turn had come to its end
    if ending is Ending.FAILED:
        return TaskState.FAILED
    return TaskState.WAITING if questions else TaskState.SUCCEEDED


class Then(Enum):
    """What a worker does after a transaction that left a `Position`."""

    TOOLS = auto()  #: make the calls, then take the next step
    STEP = auto()  #: take the step
    REST = auto()  #: nothing until somebody rings


@dataclass(frozen=True, slots=True)
class Position:
    """Where a task stands. For `TOOLS`, (``turn``, ``step``) is the step that asked for ``calls``."""

    then: Then
    turn: int
    step: int
    box: Mailbox
    calls: tuple[ToolCall, ...] = ()
    event_seq: int = 0
    ended: bool = False  #: the task has just ended or gone on: its plan is to look


def position(box: Mailbox, *, event_seq: int = 0, ended: bool = False) -> Position:
    """Where a task stands that is at no step in particular."""
    at = due(box)
    turn, step = at or (box.turn, 0)
    return Position(Then.STEP if at else Then.REST, turn, step, box, event_seq=event_seq, ended=ended)
