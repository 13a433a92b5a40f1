"""The mailbox's rules: nothing is lost, whatever happens in whatever order."""

from dataclasses import replace

import pytest
from hypothesis import settings

from baton.domain.conversation import Question
from baton.domain.mailbox import Ending, Mailbox, Next, Then, begin, due, end, next_for, standing
from baton.domain.states import TaskState
from tests.support.examples import examples
from tests.support.mailbox_machine import MailboxMachine

S = TaskState
IDLE = Mailbox(S.RUNNING, version=4, turn=1, turn_open=False, interrupt_turn=0, accepted_seq=2, unclaimed=1)
OPEN = replace(IDLE, turn=2, turn_open=True, unclaimed=0)
Q = Question("q", "Which?")

TestAnyOrder = MailboxMachine.TestCase
TestAnyOrder.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)


def test_a_turn_claims_all_that_was_accepted() -> None:
    assert begin(IDLE) == replace(IDLE, version=5, turn=2, turn_open=True, unclaimed=0)


@pytest.mark.parametrize(
    ("ending", "asked", "unclaimed", "state", "expected"),
    [
        (Ending.ANSWERED, (), 0, S.RUNNING, S.SUCCEEDED),
        (Ending.ANSWERED, (), 1, S.RUNNING, S.RUNNING),
        (Ending.ANSWERED, (Q,), 0, S.RUNNING, S.WAITING),
        (Ending.ANSWERED, (Q,), 1, S.RUNNING, S.RUNNING),
        (Ending.INTERRUPTED, (), 0, S.RUNNING, S.RUNNING),
        (Ending.INTERRUPTED, (), 1, S.RUNNING, S.RUNNING),
        (Ending.FAILED, (), 0, S.RUNNING, S.FAILED),
        (Ending.FAILED, (), 1, S.RUNNING, S.RUNNING),
        *((ending, (), unclaimed, S.PAUSED, S.PAUSED) for ending in Ending for unclaimed in (0, 1)),
    ],
)
def test_how_a_turn_ends(
    ending: Ending, asked: tuple[Question, ...], unclaimed: int, state: TaskState, expected: TaskState
) -> None:
    ended = end(replace(OPEN, state=state, unclaimed=unclaimed), ending, asked)
    assert (ended.state, ended.turn_open, ended.turn, ended.unclaimed) == (expected, False, 2, unclaimed)
    assert (ended.questions, ended.version) == (asked, OPEN.version + 1)


def test_questions_that_are_open_stay_so() -> None:
    ended = end(replace(OPEN, questions=(Q,)), Ending.ANSWERED)
    assert (ended.state, ended.questions) == (S.WAITING, (Q,))


@pytest.mark.parametrize(
    ("box", "turn", "step", "expected"),
    [
        (IDLE, 2, 0, Next.BEGIN),
        (IDLE, 2, 1, Next.NEXT_TURN),
        (IDLE, 1, 0, Next.NEXT_TURN),
        (IDLE, 3, 0, Next.NEXT_TURN),
        (OPEN, 2, 0, Next.WORK),
        (OPEN, 2, 5, Next.WORK),
        (OPEN, 1, 0, Next.NEXT_TURN),
        (OPEN, 3, 0, Next.NEXT_TURN),
        (replace(OPEN, state=S.PAUSED), 2, 0, Next.WORK),
        *((replace(IDLE, state=state), 2, 0, Next.REST) for state in S if state is not S.RUNNING),
    ],
)
def test_what_a_worker_is_to_do(box: Mailbox, turn: int, step: int, expected: Next) -> None:
    assert next_for(box, turn, step) is expected


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("turn_open", [False, True])
def test_who_comes_to_what_is_due_begins_or_works(state: TaskState, turn_open: bool) -> None:
    box = replace(OPEN if turn_open else IDLE, state=state)
    at = due(box)
    where = standing(box, event_seq=7, plan_looks=True)
    assert (where.event_seq, where.plan_looks, where.box) == (7, True, box)
    if at is None:
        assert (where.then, where.turn, where.step) == (Then.REST, box.turn, 0)
        assert next_for(box, box.turn + 1, 0) is Next.REST
    else:
        assert (where.then, where.turn, where.step) == (Then.STEP, *at)
        assert next_for(box, *at) is (Next.WORK if turn_open else Next.BEGIN)


def test_an_interrupt_stops_the_turn_it_names_and_none_after() -> None:
    box = replace(OPEN, interrupt_turn=2)
    assert (box.interrupted(1), box.interrupted(2), box.interrupted(3)) == (True, True, False)
