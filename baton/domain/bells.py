"""Who is told of a commit: the rules, for all who tell them after it.

Whatever door a change comes through (a dialect, Temporal's own UI), the same bells ring. Nothing depends on them for
being right: readers look now and then, and the relay rings again what nobody has taken up.
"""

from dataclasses import dataclass

from baton.domain.mailbox import Mailbox, Standing, Then
from baton.domain.messages import Receipt
from baton.domain.states import TaskState


@dataclass(frozen=True, slots=True)
class TaskBell:
    """Tells a task's workflow to look.

    ``version`` is the task's; ``turn`` the one to start with if no workflow runs; ``interrupt`` a turn to stop (0:
    none). ``runs``: the workflow is likely to run. ``claims``: the turn that will claim the message that it rings for
    (0: it rings for something else). ``at_work``: a ring for that turn has said all that this one says. ``starts``: a
    workflow is started to hear it where none runs.
    """

    version: int
    turn: int
    interrupt: int = 0
    runs: bool = False
    claims: int = 0
    at_work: bool = False
    starts: bool = True


@dataclass(frozen=True, slots=True)
class Bells:
    """Who is told. ``log``: those who read the execution's log; ``interrupt``: the worker of the task, which turn it is
    to stop (0: none); ``task``: the task's workflow; ``plan``: its plan's, which events there are up to."""

    log: bool = True
    interrupt: int = 0
    task: TaskBell | None = None
    plan: int | None = None


def of_message(receipt: Receipt, *, in_plan: bool, heard: bool = False) -> Bells:
    """The bells of a message that was accepted. ``heard``: the task's workflow has brought it, and need not be told.

    None for a repeat, whose first send has rung them. A task that is pending, or whose other questions are still open,
    has nothing to look at; one that is reopened makes its plan look again. Of a turn that is to stop the workflow is
    always told.
    """
    if receipt.replayed:
        return Bells(log=False)
    bell = TaskBell(
        receipt.version,
        receipt.turn + (not receipt.turn_open),
        receipt.interrupts,
        runs=receipt.turn > 0 and not receipt.reopened,
        claims=receipt.turn + 1,
        at_work=receipt.was is TaskState.RUNNING and not receipt.interrupts,
    )
    looks = receipt.rings and (not heard or receipt.interrupts > 0)
    return Bells(
        interrupt=receipt.interrupts,
        task=bell if looks else None,
        plan=receipt.event_seq if receipt.reopened and in_plan else None,
    )


def of_decision(after: Standing, *, heard: bool = False) -> Bells:
    """The bells of decisions on approvals, with ``heard`` as in `of_message`.

    A repeat rings again: nobody may have heard the first.
    """
    looks = after.then is not Then.REST and not heard
    return Bells(task=TaskBell(after.box.version, after.turn) if looks else None)


def of_control(after: Standing, bell: TaskBell) -> Bells:
    """The bells of a pause, a resume or a cancel, after which ``bell`` says what is true of the task.

    Its workflow looks whatever has become of the task, and so it does after a repeat.
    """
    return Bells(interrupt=bell.interrupt, task=bell, plan=after.event_seq if after.plan_looks else None)


def of_change(box: Mailbox, event_seq: int, *, changed: bool, looks: bool, plan_looks: bool) -> Bells:
    """The bells of a message that was edited, withdrawn or redriven, where its transaction found that they are due."""
    bell = TaskBell(box.version, box.turn + (not box.turn_open))
    return Bells(log=changed, task=bell if looks else None, plan=event_seq if plan_looks else None)
