"""Accepting a message: what it does to its task. The specification that SQL is held to.

The product accepts messages in one statement, whose rule is the part `accepted` in `baton/store/sql/messages.sql`: it
decides by these rules from the same columns of the locked rows (ADR 2 says why). Only tests call this module: they
compare the two for any row and any message, and in any order of events. Who changes one changes the other.

Before any of this, an `Idempotency-Key` that the task has seen gives the receipt of its first message, and changes
nothing; with another message it is refused (`KeyReused`).
"""

from dataclasses import dataclass, replace

from baton.domain.answers import problems
from baton.domain.conversation import Question
from baton.domain.errors import AnswerRefused, DomainError, NotWaiting, Outdated, TaskBusy, TaskClosed
from baton.domain.mailbox import Mailbox
from baton.domain.messages import Draft
from baton.domain.states import SendMode, TaskState

#: States in which a message that does not want to wait for a turn is refused.
_BUSY = (TaskState.PENDING, TaskState.RUNNING)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A message that was accepted.

    ``box`` is the task after it. ``answers`` and ``closes`` are the ids of the questions and approvals that it answered
    and closed, ``interrupts`` is the turn that it stops (0: none), ``rings`` whether the task's workflow has to look.
    """

    box: Mailbox
    answers: tuple[str, ...]
    closes: tuple[str, ...]
    interrupts: int
    rings: bool


def accept(box: Mailbox, draft: Draft, mode: SendMode) -> Acceptance:
    """Accept ``draft``. ``mode`` is its own, else the dialect's, else the agent's.

    Raises `NotWaiting`, `TaskClosed`, `Outdated`, `TaskBusy` or `AnswerRefused`; then nothing has changed.
    """
    answered = _answered(box, draft)
    if refusal := _refusal(box, draft, mode, answered):
        raise refusal
    still_open = tuple(question for question in box.questions if question not in answered)
    # An answer to one question leaves approvals alone. Any other message closes them all: what it does not grant, it
    # declines.
    closes_none = box.state is TaskState.WAITING and draft.question is not None
    still_held = box.approvals if closes_none else ()
    interrupts = box.turn if mode is SendMode.INTERRUPT and box.state is TaskState.RUNNING and box.turn_open else 0
    state = _state(box.state, bool(still_open or still_held))
    after = replace(
        box,
        state=state,
        version=box.version + 1,
        accepted_seq=box.accepted_seq + 1,
        unclaimed=box.unclaimed + 1,
        interrupt_turn=max(box.interrupt_turn, interrupts),
        questions=still_open,
        approvals=still_held,
    )
    return Acceptance(
        after,
        answers=tuple(question.id for question in answered),
        closes=() if still_held else tuple(approval.id for approval in box.approvals),
        interrupts=interrupts,
        rings=(state is TaskState.RUNNING and not box.turn_open) or interrupts > 0,
    )


def _answered(box: Mailbox, draft: Draft) -> tuple[Question, ...]:
    """The one that it names, also while the task is at work; else all that a waiting task asks."""
    if draft.question is not None:
        return tuple(question for question in box.questions if question.id == draft.question)
    return box.questions if box.state is TaskState.WAITING else ()


def _state(before: TaskState, asks: bool) -> TaskState:
    """A pending task waits for its dependencies, a waiting one until nothing is open; any other runs, or runs again."""
    keeps = before is TaskState.PENDING or (before is TaskState.WAITING and asks)
    return before if keeps else TaskState.RUNNING


def _refusal(box: Mailbox, draft: Draft, mode: SendMode, answered: tuple[Question, ...]) -> DomainError | None:
    """The first rule that it breaks, in this order."""
    if draft.only_if_waiting and box.state is not TaskState.WAITING:
        return NotWaiting("the task waits for no answer", box.state)
    if box.state is TaskState.CANCELLED:
        return TaskClosed("the task takes no more messages", box.state)
    outdated = draft.if_versions is not None and box.version not in draft.if_versions
    if outdated or (draft.question is not None and not answered):
        return Outdated("the task has changed since", box.version, tuple(question.id for question in box.questions))
    if mode is SendMode.REJECT and box.state in _BUSY:
        return TaskBusy("the task is at work", box.state)
    wrong = [problem for question in answered for problem in problems(question, draft.text)]
    return AnswerRefused("the answer breaks the question's schema", tuple(wrong)) if wrong else None
