"""Who is told of a commit."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from baton.domain.bells import Bells, TaskBell, of_change, of_control, of_decision, of_message
from baton.domain.mailbox import Mailbox, standing
from baton.domain.messages import Receipt
from baton.domain.states import TaskState

S = TaskState
NOBODY = Bells(log=False)
SENT = Receipt(
    uuid4(), 3, uuid4(), uuid4(), datetime.now(UTC), S.RUNNING, 7, 2, turn_open=False, was=S.WAITING, event_seq=20
)
BOX = Mailbox(S.RUNNING, 7, 2, False, 0, 3, 1)


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("in_plan", [False, True])
@pytest.mark.parametrize("state", [S.PENDING, S.WAITING])
def test_who_has_nothing_to_look_at_is_not_rung(state: TaskState, in_plan: bool, heard: bool) -> None:
    """A task whose dependencies are unfinished, and one whose other questions are open: the log grows, and no more."""
    receipt = replace(SENT, state=state, was=state)
    assert of_message(receipt, in_plan=in_plan, heard=heard) == Bells()


@pytest.mark.parametrize("was", [S.SUCCEEDED, S.FAILED])
@pytest.mark.parametrize("heard", [False, True])
def test_a_task_that_is_reopened_rings_its_plan(was: TaskState, heard: bool) -> None:
    receipt = replace(SENT, was=was)
    assert of_message(receipt, in_plan=True, heard=heard).plan == 20
    assert of_message(receipt, in_plan=False, heard=heard).plan is None


@pytest.mark.parametrize("was", [S.RUNNING, S.WAITING, S.PAUSED])
def test_one_that_was_open_does_not(was: TaskState) -> None:
    assert of_message(replace(SENT, was=was), in_plan=True).plan is None


def test_a_workflow_that_has_brought_the_message_is_not_told_of_it() -> None:
    assert of_message(SENT, in_plan=False).task == TaskBell(7, 3, runs=True, claims=3)
    assert of_message(SENT, in_plan=False, heard=True) == Bells()


@pytest.mark.parametrize("heard", [False, True])
def test_of_a_turn_that_is_to_stop_all_are_told(heard: bool) -> None:
    receipt = replace(SENT, was=S.RUNNING, turn_open=True, interrupts=2)
    bell = TaskBell(7, 2, interrupt=2, runs=True, claims=3)
    assert of_message(receipt, in_plan=True, heard=heard) == Bells(interrupt=2, task=bell)


def test_a_repeat_rings_nobody() -> None:
    repeat = replace(SENT, replayed=True, was=None, interrupts=2)
    assert of_message(repeat, in_plan=True) == NOBODY


@pytest.mark.parametrize(
    ("receipt", "bell"),
    [
        (replace(SENT, was=S.RUNNING, turn=0), TaskBell(7, 1, runs=False, claims=1, at_work=True)),
        (replace(SENT, was=S.RUNNING, turn_open=True), TaskBell(7, 2, runs=True, claims=3, at_work=True)),
        (replace(SENT, was=S.SUCCEEDED), TaskBell(7, 3, runs=False, claims=3)),
        (replace(SENT, was=S.PAUSED, turn_open=True), TaskBell(7, 2, runs=True, claims=3)),
    ],
)
def test_what_a_message_has_a_workflow_told(receipt: Receipt, bell: TaskBell) -> None:
    assert of_message(receipt, in_plan=False).task == bell


def test_a_decision_rings_once_nothing_is_open_any_more() -> None:
    assert of_decision(standing(BOX)) == Bells(task=TaskBell(7, 3))
    assert of_decision(standing(BOX), heard=True) == Bells()
    assert of_decision(standing(replace(BOX, state=S.WAITING))) == Bells()


def test_what_is_done_to_a_task_has_its_workflow_look_whatever_became_of_it() -> None:
    stopped = TaskBell(7, 2, interrupt=2, starts=False)
    assert of_control(standing(BOX, event_seq=20), stopped) == Bells(interrupt=2, task=stopped)
    cancelled = standing(replace(BOX, state=S.CANCELLED), event_seq=20, plan_looks=True)
    assert of_control(cancelled, TaskBell(7, 3)) == Bells(task=TaskBell(7, 3), plan=20)


def test_a_change_of_a_message_rings_whom_it_concerns() -> None:
    assert of_change(BOX, 20, changed=True, looks=True, plan_looks=True) == Bells(task=TaskBell(7, 3), plan=20)
    at_work = replace(BOX, turn_open=True)
    assert of_change(at_work, 20, changed=True, looks=True, plan_looks=False) == Bells(task=TaskBell(7, 2))
    assert of_change(BOX, 20, changed=False, looks=False, plan_looks=False) == NOBODY
