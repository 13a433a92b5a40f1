"""An execution's state follows from its tasks': the only place where that is decided."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.domain.states import ExecutionState, TaskState, execution_state

S, E = TaskState, ExecutionState
tasks = st.lists(st.sampled_from(S), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], E.PENDING),
        ([S.PENDING, S.PENDING], E.PENDING),
        ([S.PENDING, S.RUNNING], E.RUNNING),
        ([S.RUNNING, S.WAITING], E.RUNNING),
        ([S.WAITING, S.PAUSED, S.PENDING, S.FAILED], E.WAITING),
        ([S.PAUSED, S.PENDING, S.CANCELLED], E.PAUSED),
        ([S.SUCCEEDED, S.PENDING], E.RUNNING),
        ([S.FAILED, S.PENDING], E.RUNNING),
        ([S.SUCCEEDED, S.SUCCEEDED], E.SUCCEEDED),
        ([S.SUCCEEDED, S.FAILED], E.FAILED),
        ([S.SUCCEEDED, S.CANCELLED], E.CANCELLED),
        ([S.CANCELLED, S.FAILED], E.FAILED),
    ],
)
def test_what_follows(states: list[TaskState], expected: ExecutionState) -> None:
    assert execution_state(states) is expected


@given(tasks, st.randoms(use_true_random=False))
def test_neither_order_nor_number_matters(states: list[TaskState], random: Random) -> None:
    shuffled = [*states, *states]
    random.shuffle(shuffled)
    assert execution_state(shuffled) is execution_state(states)


@given(st.sampled_from(S), st.integers(1, 5))
def test_tasks_of_one_mind(state: TaskState, count: int) -> None:
    assert execution_state([state] * count) == state


@given(tasks)
def test_it_is_over_when_all_tasks_are(states: list[TaskState]) -> None:
    assert execution_state(states).is_over is all(state.is_over for state in states)


@given(tasks)
def test_it_is_what_some_task_is_or_its_plan_is_to_look(states: list[TaskState]) -> None:
    found = execution_state(states)
    seen = Counter(states)
    assert found in seen or (found is E.RUNNING and S.PENDING in seen)
    assert (found is E.SUCCEEDED) is (set(seen) == {S.SUCCEEDED})
