"""The mailbox's rules: what a task does next, decided from its own row alone.

Pure: the store locks the row, asks here, and writes what was decided in the same transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from domain.conversation import Question, ToolCall
from domain.states import TaskState


@dataclass(frozen=True, slots=True)
class Rest:
    """What a task would be if none of its unclaimed messages had been sent: withdrawing all of them leads there.

    With no message unclaimed it is what the task is. ``questions``: what it would ask; all that unclaimed messages have
    answered are among them. ``seq``: of a paused task, the last message accepted before that; it is the later ones that
    make it run.
    """

    state: TaskState
    questions: tuple[Question, ...] = ()
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The columns of a task's row that decide.

    ``turn`` is the last turn begun, ``turn_open`` whether it is under way; ``accepted_seq`` is the last message
    accepted, ``unclaimed`` how many of them no turn has claimed; ``interrupt_turn`` the last turn asked to stop.
    ``rest``: see `Rest`; what a task does next does not depend on it.
    """

    state: TaskState
    version: int
    turn: int
    turn_open: bool
    interrupt_turn: int
    accepted_seq: int
    unclaimed: int
    questions: tuple[Question, ...] = ()
    rest: Rest = field(default=Rest(TaskState.PENDING), compare=False)

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
    return replace(
        box,
        version=box.version + 1,
        turn=box.turn + 1,
        turn_open=True,
        unclaimed=0,
        rest=Rest(TaskState.RUNNING, box.questions),
    )


def end(box: Mailbox, ending: Ending, asked: tuple[Question, ...] = ()) -> Mailbox:
    """End the open turn, with the questions that it ``asked``.

    A message that was accepted meanwhile keeps the task running: nothing closes over it. It does not answer a question
    that was asked after it was accepted, so that the question stays open through the next turn.
    """
    questions = box.questions + asked
    rested = box.rest.questions + asked
    return replace(
        box,
        version=box.version + 1,
        turn_open=False,
        questions=questions,
        state=box.state if box.has_unclaimed else _after(box.state, ending, questions),
        rest=replace(box.rest, state=_after(box.rest.state, ending, rested), questions=rested),
    )


def _after(state: TaskState, ending: Ending, questions: tuple[Question, ...]) -> TaskState:
    if state is TaskState.PAUSED:
        return state
    if ending is Ending.INTERRUPTED:
        return state  # running again: it was resumed before the turn had come to its end
    if ending is Ending.FAILED:
        return TaskState.FAILED
    return TaskState.WAITING if questions else TaskState.SUCCEEDED


def pause(box: Mailbox) -> Mailbox:
    """Pause a task that runs or waits, until a resume or a message; an open turn is asked to stop."""
    return replace(
        box,
        version=box.version + 1,
        state=TaskState.PAUSED,
        interrupt_turn=box.turn if box.turn_open else box.interrupt_turn,
        rest=Rest(TaskState.PAUSED, box.rest.questions, box.accepted_seq),
    )


def resume(box: Mailbox, *, has_news: bool) -> Mailbox:
    """Let a paused task go on: it waits again if a question is open, else it takes a turn.

    ``has_news``: a message is unclaimed that is more than an answer beside which other questions are open.
    """
    return replace(
        box,
        version=box.version + 1,
        state=_resumed(box.questions, box.turn_open or has_news),
        rest=Rest(_resumed(box.rest.questions, box.turn_open), box.rest.questions),
    )


def _resumed(questions: tuple[Question, ...], runs: bool) -> TaskState:
    return TaskState.WAITING if questions and not runs else TaskState.RUNNING


def cancel(box: Mailbox) -> Mailbox:
    """Cancel a task that is not over: its turn is over, its unclaimed messages are dead, its questions closed."""
    return replace(
        box,
        version=box.version + 1,
        state=TaskState.CANCELLED,
        turn_open=False,
        interrupt_turn=box.turn,
        unclaimed=0,
        questions=(),
        rest=Rest(TaskState.CANCELLED),
    )


def put(box: Mailbox, questions: Collection[Question]) -> Mailbox:
    """Put ``questions`` in the place of those with the same ids, open or answered; the version stays."""
    new = {question.id: question for question in questions}
    return replace(
        box,
        questions=tuple(new.get(question.id, question) for question in box.questions),
        rest=replace(box.rest, questions=tuple(new.get(question.id, question) for question in box.rest.questions)),
    )


@dataclass(frozen=True, slots=True)
class Others:
    """The unclaimed messages beside one: ``newest`` is the last of them (0: there is none), ``all_answer`` whether each
    answers a question that the task rested with."""

    newest: int = 0
    all_answer: bool = True


def withdraw(box: Mailbox, seq: int, answers: Collection[str], others: Others) -> Mailbox:
    """Take the unclaimed message ``seq`` back: the task is again what it would be without it.

    The questions that it answered are open again, unless a later message is unclaimed: then the task runs on for that.
    """
    left = max(box.unclaimed - 1, 0)
    taken = replace(box, version=box.version + 1, unclaimed=left)
    if not left:
        return replace(taken, state=box.rest.state, questions=box.rest.questions)
    if others.newest > seq:
        return taken
    open_now = {question.id for question in box.questions}.union(answers)
    questions = tuple(question for question in box.rest.questions if question.id in open_now)
    match box.rest.state:
        case TaskState.PAUSED:
            rests = others.newest <= box.rest.seq
        case TaskState.WAITING:
            rests = others.all_answer and bool(questions)
        case _:
            rests = False
    return replace(taken, state=box.rest.state if rests else box.state, questions=questions)


def accept_again(box: Mailbox) -> Mailbox:
    """Accept a dead message again, as the last one, for the next turn of a task that is not cancelled.

    It answers no question that was asked after it was sent: a task that waits for an answer reads it, and waits again.
    """
    return replace(
        box,
        version=box.version + 1,
        accepted_seq=box.accepted_seq + 1,
        unclaimed=box.unclaimed + 1,
        state=box.state if box.state is TaskState.PENDING else TaskState.RUNNING,
    )


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
