"""The mailbox's rules: what a task does next, decided from its own row alone.

Pure: the store locks the row, asks here, and writes what was decided in the same transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto

from baton.domain.approvals import Approval
from baton.domain.conversation import Question, ToolCall
from baton.domain.states import TaskState


@dataclass(frozen=True, slots=True)
class Rest:
    """What a task would be if none of its unclaimed messages had been sent: withdrawing all of them leads there.

    With no message unclaimed it is what the task is. ``questions`` and ``approvals``: what it would ask; all that
    unclaimed messages have answered, or closed, are among them. ``seq``: of a paused task, the last message accepted
    before that; it is the later ones that make it run.
    """

    state: TaskState
    questions: tuple[Question, ...] = ()
    seq: int = 0
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The columns of a task's row that decide.

    ``turn`` is the last turn begun, ``turn_open`` whether it is under way; ``accepted_seq`` is the last message
    accepted, ``unclaimed`` how many of them no turn has claimed; ``interrupt_turn`` the last turn asked to stop.
    ``approvals`` are open, and only while the task waits or is paused. ``held_step`` is the step whose calls were held
    back until somebody has decided on them, or said whether they happened; None if there is none. ``held_turn`` is its
    turn; None: the last one, or while a turn is under way the one before it.
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
    approvals: tuple[Approval, ...] = ()
    held_step: int | None = None
    held_turn: int | None = None
    rest: Rest = field(default=Rest(TaskState.PENDING), compare=False)

    @property
    def asks(self) -> bool:
        """Whether somebody is to answer a question or to decide on an approval."""
        return bool(self.questions or self.approvals)

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

    @property
    def held(self) -> tuple[int, int] | None:
        """(turn, step) of the step whose calls were held back."""
        if self.held_step is None:
            return None
        last = self.turn - 1 if self.turn_open else self.turn
        return last if self.held_turn is None else self.held_turn, self.held_step

    def makes_calls_of(self, turn: int, step: int) -> bool:
        """Whether calls of that step are part of the turn under way: its own, or those that were held back before."""
        return self.turn_open and (turn == self.turn or (turn, step) == self.held)


class Next(Enum):
    """What a worker that comes with (turn, step) is to do."""

    BEGIN = auto()  #: begin the turn: claim what was accepted
    WORK = auto()  #: the turn is under way: take the step, unless it is recorded
    NEXT_TURN = auto()  #: that turn is over and another is due
    REST = auto()  #: nothing is due


def next_for(box: Mailbox, turn: int, step: int) -> Next:
    """What a worker that comes with (``turn``, ``step``) is to do.

    It may come late (the turn is over) or twice (a retry): PostgreSQL's standing counts, not the worker's.
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


class Ending(StrEnum):
    """How a turn came to its end."""

    ANSWERED = auto()  #: the model had nothing more to do
    INTERRUPTED = auto()
    FAILED = auto()


def begin(box: Mailbox) -> Mailbox:
    """Begin the next turn: all messages accepted so far are its own, and no approval is open."""
    return replace(
        box,
        version=box.version + 1,
        turn=box.turn + 1,
        turn_open=True,
        unclaimed=0,
        approvals=(),
        rest=Rest(TaskState.RUNNING, box.questions),
    )


def end(
    box: Mailbox,
    ending: Ending,
    asked: tuple[Question, ...] = (),
    held: tuple[Approval, ...] = (),
    unsure: tuple[int, int] | None = None,
) -> Mailbox:
    """End the open turn, with the questions that it ``asked`` and the approvals of the calls that it ``held`` back.

    ``unsure``: (turn, step) of calls about which some of the questions are; they are held back, too.

    A message that was accepted meanwhile keeps the task running: nothing closes over it. It does not answer a question
    that was asked after it was accepted, so that the question stays open through the next turn. Approvals are opened
    only where the task comes to wait: a call cannot be held through a turn, whose model is to be told what it gave.
    """
    questions = box.questions + asked
    rested = box.rest.questions + asked
    state = box.state if box.has_unclaimed else _after(box.state, ending, bool(questions or held))
    opened = held if state is TaskState.WAITING else ()
    kept = unsure if state is TaskState.WAITING else None
    rested_state = _after(box.rest.state, ending, bool(rested or opened))
    if held and not opened and rested_state is not TaskState.PAUSED:
        rested_state = TaskState.RUNNING  # the model has to be told that its calls were not made
    return replace(
        box,
        version=box.version + 1,
        turn_open=False,
        questions=questions,
        approvals=opened,
        held_step=opened[0].step if opened else kept[1] if kept else None,
        held_turn=kept[0] if kept and kept[0] != box.turn else None,
        state=state,
        rest=replace(box.rest, state=rested_state, questions=rested, approvals=opened),
    )


def _after(state: TaskState, ending: Ending, asks: bool) -> TaskState:
    if state is TaskState.PAUSED:
        return state
    if ending is Ending.INTERRUPTED:
        return state  # running again: it was resumed before the turn had come to its end
    if ending is Ending.FAILED:
        return TaskState.FAILED
    return TaskState.WAITING if asks else TaskState.SUCCEEDED


def decide(box: Mailbox, decided: Collection[str]) -> Mailbox:
    """Close the approvals ``decided``, by id: a waiting task runs once it asks for nothing any more."""
    approvals = _without(box.approvals, decided)
    rested = _without(box.rest.approvals, decided)
    return replace(
        box,
        version=box.version + 1,
        approvals=approvals,
        state=_decided(box.state, bool(box.questions or approvals)),
        rest=replace(box.rest, state=_decided(box.rest.state, bool(box.rest.questions or rested)), approvals=rested),
    )


def _without(approvals: tuple[Approval, ...], decided: Collection[str]) -> tuple[Approval, ...]:
    return tuple(approval for approval in approvals if approval.id not in decided)


def _decided(state: TaskState, asks: bool) -> TaskState:
    return TaskState.RUNNING if state is TaskState.WAITING and not asks else state


def pause(box: Mailbox) -> Mailbox:
    """Pause a task that runs or waits, until a resume or a message; an open turn is asked to stop."""
    return replace(
        box,
        version=box.version + 1,
        state=TaskState.PAUSED,
        interrupt_turn=box.turn if box.turn_open else box.interrupt_turn,
        rest=replace(box.rest, state=TaskState.PAUSED, seq=box.accepted_seq),
    )


def resume(box: Mailbox, *, has_news: bool) -> Mailbox:
    """Let a paused task go on: it waits again if a question or an approval is open, else it takes a turn.

    ``has_news``: a message is unclaimed that is more than an answer beside which other questions are open.
    """
    return replace(
        box,
        version=box.version + 1,
        state=_resumed(box.asks, box.turn_open or has_news),
        rest=replace(box.rest, state=_resumed(bool(box.rest.questions or box.rest.approvals), box.turn_open)),
    )


def _resumed(asks: bool, runs: bool) -> TaskState:
    return TaskState.WAITING if asks and not runs else TaskState.RUNNING


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
        approvals=(),
        held_step=None,
        held_turn=None,
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


class Then(Enum):
    """What a worker does after a transaction that left a `Standing`."""

    TOOLS = auto()  #: make the calls, then take the next step
    STEP = auto()  #: take the step
    REST = auto()  #: nothing until somebody rings


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands. For `TOOLS`, (``turn``, ``step``) is the step that asked for ``calls``."""

    then: Then
    turn: int
    step: int
    box: Mailbox
    calls: tuple[ToolCall, ...] = ()
    event_seq: int = 0
    plan_looks: bool = False  #: the task has just come to rest, or left it: its plan is to look


def standing(box: Mailbox, *, event_seq: int = 0, plan_looks: bool = False) -> Standing:
    """Where a task stands that is at no step in particular."""
    at = due(box)
    turn, step = at or (box.turn, 0)
    return Standing(Then.STEP if at else Then.REST, turn, step, box, event_seq=event_seq, plan_looks=plan_looks)
