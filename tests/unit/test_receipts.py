"""Withdrawing and redriving, as rules: a task is what it would be without what was taken back."""

from dataclasses import replace

import pytest
from hypothesis import settings

from baton.domain.conversation import Question
from baton.domain.mailbox import Ending, Mailbox, Rest, begin, cancel, end, pause, put, resume
from baton.domain.states import TaskState
from baton.domain.withdrawing import Others, accept_again, withdraw
from tests.support.examples import examples
from tests.support.receipts_machine import ReceiptsMachine

S = TaskState
Q, R = Question("q", "Which?"), Question("r", "When?")
RUNNING = Mailbox(S.RUNNING, 4, 1, False, 0, accepted_seq=2, unclaimed=1, rest=Rest(S.RUNNING))
WAITING = Mailbox(
    S.WAITING, 4, 1, False, 0, accepted_seq=1, unclaimed=0, questions=(Q, R), rest=Rest(S.WAITING, (Q, R))
)

TestAnyOrder = ReceiptsMachine.TestCase
TestAnyOrder.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)


def sent(box: Mailbox, *answers: Question) -> Mailbox:
    """After a message was accepted that answers these."""
    left = tuple(question for question in box.questions if question not in answers)
    keeps = box.state is S.PENDING or (box.state is S.WAITING and left)
    return replace(
        box,
        version=box.version + 1,
        accepted_seq=box.accepted_seq + 1,
        unclaimed=box.unclaimed + 1,
        questions=left,
        state=box.state if keeps else S.RUNNING,
    )


def stands(box: Mailbox) -> tuple[TaskState, tuple[Question, ...], int]:
    return box.state, box.questions, box.unclaimed


@pytest.mark.parametrize("state", [S.PENDING, S.RUNNING, S.PAUSED, S.SUCCEEDED, S.FAILED])
def test_the_last_message_leads_back_to_where_the_task_rested(state: TaskState) -> None:
    rested = replace(RUNNING, state=state, unclaimed=0, rest=Rest(state))
    one, two = sent(rested), sent(sent(rested))
    assert stands(withdraw(one, 3, (), Others())) == (state, (), 0)
    still = withdraw(two, 4, (), Others(newest=3, all_answer=False))
    assert stands(still) == (one.state, (), 1)
    assert still.version == two.version + 1
    assert stands(withdraw(still, 3, (), Others())) == (state, (), 0)


def test_a_withdrawn_answer_is_asked_again() -> None:
    both = sent(WAITING, Q, R)
    assert stands(withdraw(both, 2, ("q", "r"), Others())) == (S.WAITING, (Q, R), 0)
    first = sent(WAITING, Q)
    assert stands(first) == (S.WAITING, (R,), 1)
    assert stands(withdraw(first, 2, ("q",), Others())) == (S.WAITING, (Q, R), 0)


def test_an_answer_that_ended_the_waiting_leads_back_to_it() -> None:
    second = sent(sent(WAITING, Q), R)
    assert stands(second) == (S.RUNNING, (), 2)
    back = withdraw(second, 3, ("r",), Others(newest=2))
    assert stands(back) == (S.WAITING, (R,), 1)
    assert stands(withdraw(back, 2, ("q",), Others())) == (S.WAITING, (Q, R), 0)


def test_a_later_message_keeps_the_question_from_being_asked_again() -> None:
    box = sent(sent(WAITING, Q, R))
    on = withdraw(box, 2, ("q", "r"), Others(newest=3, all_answer=False))
    assert stands(on) == (S.RUNNING, (), 1)
    assert stands(withdraw(on, 3, (), Others())) == (S.WAITING, (Q, R), 0)


def test_a_task_runs_for_what_answers_nothing() -> None:
    """Not stuck behind a question that is open again."""
    paused = sent(pause(WAITING))
    assert stands(paused) == (S.RUNNING, (Q, R), 1)
    answered = sent(resume(pause(paused), has_news=True), Q)
    assert stands(answered) == (S.RUNNING, (R,), 2)
    assert stands(withdraw(answered, 3, ("q",), Others(newest=2, all_answer=False))) == (S.RUNNING, (Q, R), 1)


def test_only_messages_after_a_pause_make_it_run() -> None:
    queued = replace(RUNNING, turn_open=True)
    resumed = sent(pause(queued))
    assert resumed.state is S.RUNNING
    assert stands(withdraw(resumed, 3, (), Others(newest=2, all_answer=False))) == (S.PAUSED, (), 1)
    assert stands(withdraw(resumed, 2, (), Others(newest=3, all_answer=False))) == (S.RUNNING, (), 1)
    twice = sent(resumed)
    assert stands(withdraw(twice, 4, (), Others(newest=3, all_answer=False))) == (S.RUNNING, (), 2)


def test_a_pause_is_not_withdrawn_with_a_message() -> None:
    paused = pause(sent(replace(RUNNING, unclaimed=0, state=S.SUCCEEDED, rest=Rest(S.SUCCEEDED))))
    assert stands(withdraw(paused, 3, (), Others())) == (S.PAUSED, (), 0)


def test_a_resumed_task_runs_without_its_messages() -> None:
    resumed = sent(resume(pause(RUNNING), has_news=True))
    assert stands(withdraw(resumed, 3, (), Others(newest=2, all_answer=False))) == (S.RUNNING, (), 1)
    alone = replace(resumed, unclaimed=1)
    assert stands(withdraw(alone, 3, (), Others())) == (S.RUNNING, (), 0)


@pytest.mark.parametrize(
    ("ending", "asked", "state"),
    [
        (Ending.ANSWERED, (), S.SUCCEEDED),
        (Ending.ANSWERED, (R,), S.WAITING),
        (Ending.FAILED, (), S.FAILED),
        (Ending.INTERRUPTED, (), S.RUNNING),
    ],
)
def test_a_turn_that_ended_over_a_queued_message_has_ended_after_all(
    ending: Ending, asked: tuple[Question, ...], state: TaskState
) -> None:
    ended = end(sent(begin(RUNNING)), ending, asked)
    assert stands(ended) == (S.RUNNING, asked, 1)
    assert stands(withdraw(ended, 3, (), Others())) == (state, asked, 0)
    assert stands(withdraw(ended, 3, (), Others())) == stands(end(begin(RUNNING), ending, asked))


def test_an_answer_to_a_late_question_is_taken_back() -> None:
    """One that was asked while another message was on its way, so that the task did not wait for it."""
    late = end(sent(begin(RUNNING)), Ending.ANSWERED, (Q,))
    at_work = begin(late)
    answered = sent(at_work, Q)
    assert stands(answered) == (S.RUNNING, (), 1)
    assert stands(withdraw(answered, 4, ("q",), Others())) == (S.RUNNING, (Q,), 0)
    assert stands(withdraw(end(answered, Ending.ANSWERED), 4, ("q",), Others())) == (S.WAITING, (Q,), 0)


def test_questions_are_changed_where_they_are_open_and_where_they_are_answered() -> None:
    later = replace(Q, remind_at="")
    box = put(sent(replace(WAITING, questions=(replace(Q, remind_at="2026"), R)), R), [later])
    assert box.questions == (later,)
    assert box.rest.questions == (later, R)


def test_nothing_is_left_of_a_cancelled_task() -> None:
    box = cancel(sent(WAITING, Q))
    assert (stands(box), box.rest) == ((S.CANCELLED, (), 0), Rest(S.CANCELLED))


@pytest.mark.parametrize("state", [state for state in S if state is not S.CANCELLED])
@pytest.mark.parametrize("turn_open", [False, True])
def test_a_dead_message_is_accepted_again(state: TaskState, turn_open: bool) -> None:
    box = replace(WAITING, state=state, turn_open=turn_open)
    again = accept_again(box)
    assert again.state is (S.PENDING if state is S.PENDING else S.RUNNING)
    assert (again.accepted_seq, again.unclaimed, again.version) == (2, 1, 5)
    assert (again.questions, again.rest) == (box.questions, box.rest), "it answers nothing that was asked since"
    assert (again.turn, again.turn_open) == (box.turn, turn_open)
