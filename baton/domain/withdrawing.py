"""What a task is once an accepted message was taken back, or a dead one accepted again: rules of its mailbox."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from baton.domain.mailbox import Mailbox
from baton.domain.states import TaskState


@dataclass(frozen=True, slots=True)
class Others:
    """The unclaimed messages beside one: ``newest`` is the last of them (0: there is none), ``all_answer`` whether each
    answers a question that the task rested with."""

    newest: int = 0
    all_answer: bool = True


def withdraw(box: Mailbox, seq: int, answers: Collection[str], others: Others) -> Mailbox:
    """Take the unclaimed message ``seq`` back: the task is again what it would be without it.

    The questions that it answered, and the approvals that it closed, are open again, unless a later message is
    unclaimed: then the task runs on for that.
    """
    left = max(box.unclaimed - 1, 0)
    taken = replace(box, version=box.version + 1, unclaimed=left)
    if not left:
        return replace(taken, state=box.rest.state, questions=box.rest.questions, approvals=box.rest.approvals)
    if others.newest > seq:
        return taken
    open_now = {question.id for question in box.questions}.union(answers)
    questions = tuple(question for question in box.rest.questions if question.id in open_now)
    match box.rest.state:
        case TaskState.PAUSED:
            rests = others.newest <= box.rest.seq
        case TaskState.WAITING:
            rests = others.all_answer and bool(questions or box.rest.approvals)
        case _:
            rests = False
    if not rests:
        return replace(taken, questions=questions)
    return replace(taken, state=box.rest.state, questions=questions, approvals=box.rest.approvals)


def accept_again(box: Mailbox) -> Mailbox:
    """Accept a dead message again, as the last one, for the next turn of a task that is not cancelled.

    It answers no question that was asked after it was sent: a task that waits for an answer reads it, and waits again.
    Approvals it closes, like any message that begins a turn.
    """
    return replace(
        box,
        version=box.version + 1,
        accepted_seq=box.accepted_seq + 1,
        unclaimed=box.unclaimed + 1,
        state=box.state if box.state is TaskState.PENDING else TaskState.RUNNING,
        approvals=(),
    )
