"""What became of what a task was told?"""

import pytest

from baton.domain.errands import ErrandState, Taken, errand_state
from baton.domain.states import MessageState, TaskState, TurnState

E, M, T, S = ErrandState, MessageState, TurnState, TaskState


@pytest.mark.parametrize(
    ("task", "message", "state"),
    [
        (S.PENDING, None, E.PENDING),
        (S.RUNNING, None, E.PENDING),
        (S.RUNNING, M.ACCEPTED, E.PENDING),
        (S.WAITING, M.ACCEPTED, E.PENDING),  # it has answered one of several questions
        (S.PAUSED, None, E.CANCELLED),
        (S.PAUSED, M.ACCEPTED, E.CANCELLED),
        (S.CANCELLED, None, E.CANCELLED),
        (S.CANCELLED, M.DEAD, E.CANCELLED),
        (S.FAILED, None, E.FAILED),  # what it depends on has failed
        (S.FAILED, M.DEAD, E.FAILED),
        (S.RUNNING, M.DEAD, E.FAILED),  # and somebody has reopened it since
        (S.RUNNING, M.WITHDRAWN, E.CANCELLED),
    ],
)
def test_one_that_no_turn_has_read(task: TaskState, message: MessageState | None, state: ErrandState) -> None:
    taken = Taken(task, turn=0, interrupt_turn=0, unclaimed=1)
    assert errand_state(taken, message, None, superseded=False, last_turn=None, last_turn_state=None) is state


@pytest.mark.parametrize(
    ("task", "interrupt_turn", "unclaimed", "turn", "state"),
    [
        (S.RUNNING, 0, 0, T.RUNNING, E.RUNNING),
        (S.RUNNING, 0, 1, T.RUNNING, E.RUNNING),  # a message is queued
        (S.RUNNING, 2, 1, T.RUNNING, E.CANCELLED),  # a message interrupts
        (S.PAUSED, 2, 0, T.RUNNING, E.CANCELLED),
        (S.RUNNING, 2, 0, T.RUNNING, E.RUNNING),  # paused and resumed: another turn follows
        (S.RUNNING, 1, 1, T.RUNNING, E.RUNNING),  # it was the turn before that was interrupted
        (S.PAUSED, 2, 0, T.INTERRUPTED, E.CANCELLED),
        (S.RUNNING, 2, 0, T.INTERRUPTED, E.RUNNING),  # resumed: the next turn is due
        (S.RUNNING, 2, 1, T.INTERRUPTED, E.CANCELLED),
        (S.WAITING, 0, 0, T.ENDED, E.DONE),
        (S.SUCCEEDED, 0, 0, T.ENDED, E.DONE),
        (S.RUNNING, 0, 0, T.ENDED, E.RUNNING),  # its calls were approved
        (S.RUNNING, 0, 1, T.ENDED, E.DONE),  # a message came
        (S.CANCELLED, 0, 0, T.ENDED, E.DONE),
        (S.FAILED, 0, 0, T.FAILED, E.FAILED),
        (S.RUNNING, 0, 1, T.FAILED, E.FAILED),
    ],
)
def test_the_last_that_was_read(
    task: TaskState, interrupt_turn: int, unclaimed: int, turn: TurnState, state: ErrandState
) -> None:
    taken = Taken(task, 2, interrupt_turn, unclaimed)
    for said in (None, M.CLAIMED, M.PROCESSED):
        assert errand_state(taken, said, 2, superseded=False, last_turn=2, last_turn_state=turn) is state


@pytest.mark.parametrize(("turn", "state"), [(T.ENDED, E.DONE), (T.INTERRUPTED, E.CANCELLED), (T.FAILED, E.FAILED)])
@pytest.mark.parametrize("task", TaskState)
def test_one_before_the_last_stays_what_it_was(task: TaskState, turn: TurnState, state: ErrandState) -> None:
    taken = Taken(task, 5, 5, 0)
    assert errand_state(taken, M.PROCESSED, 2, superseded=False, last_turn=3, last_turn_state=turn) is state


@pytest.mark.parametrize("turn", [None, 2])
def test_a_superseded_one_is_cancelled(turn: int | None) -> None:
    taken = Taken(S.RUNNING, 2, 0, 0)
    state = errand_state(taken, M.CLAIMED, turn, superseded=True, last_turn=turn, last_turn_state=T.RUNNING)
    assert state is E.CANCELLED
