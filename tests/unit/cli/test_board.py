"""What the event log means for the view."""

from baton.cli.view.board import Board
from baton.cli.view.happenings import Answered, Asked, Ended, Happening, Noted, Said, Started
from baton.client.shapes import Event
from baton.domain.conversation import Question
from baton.domain.states import ExecutionState, TaskState
from tests.support.cli_events import START, Log, execution


def _told(board: Board, *events: Event) -> list[Happening]:
    return [happening for event in events for happening in board.apply(event)]


def test_a_question_and_its_answer() -> None:
    board, log = Board(execution([], [])), Log()
    told = _told(
        board,
        log("execution.created", execution_state="running"),
        log("task.started", 1, "running"),
        log("turn.started", 1, turn=1, messages=[]),
        log("step.started", 1, turn=1, step=1),
        log("text.delta", 1, text="Let me "),
        log("text.delta", 1, text="see."),
    )
    task = board.tasks["t1"]
    assert [type(happening) for happening in told] == [Started]
    assert task.text == "Let me see."
    told = _told(
        board,
        log("step.completed", 1, text="Let me see.", calls=[]),
        log("question.asked", 1, question_id="q1", text="Which?", choices=["a", "b"], schema=None),
        log("turn.ended", 1, "waiting", "waiting", turn=1, outcome="waiting"),
    )
    assert told == [Said(task, "Let me see."), Asked(task, Question("q1", "Which?", ("a", "b")))]
    assert (task.text, list(task.questions), task.state) == ("", ["q1"], TaskState.WAITING)
    assert task.waiting_since is not None
    assert board.state is ExecutionState.WAITING
    told = _told(
        board,
        log("message.accepted", 1, "running", "running", message_id="m", seq=1, text="a", answers=["q1"], sender="ada"),
        log("turn.started", 1, turn=2, messages=[{"message_id": "m", "seq": 1}]),
        log("turn.ended", 1, "succeeded", "succeeded", turn=2, result="Done with a."),
    )
    assert told == [Answered(task, "a", ("q1",), "ada"), Ended(task, TaskState.SUCCEEDED, "Done with a.", None)]
    assert not task.questions
    assert not task.queued
    assert task.waiting_since is None
    assert board.seq == log.seq
    assert board.now is not None
    assert (board.now - START).total_seconds() == log.seq


def test_a_voided_step_takes_its_text_back() -> None:
    board, log = Board(execution([])), Log()
    task = board.tasks["t1"]
    _told(board, log("task.started", 1, "running"), log("step.started", 1), log("text.delta", 1, text="half a "))
    told = _told(board, log("step.voided", 1, turn=1, step=1, attempt=1))
    assert [type(happening) for happening in told] == [Noted]
    assert task.text == ""
    _told(board, log("text.delta", 1, text="whole"))
    assert task.text == "whole"


def test_a_message_to_a_task_at_work_is_queued_until_a_turn_takes_it() -> None:
    board, log = Board(execution([])), Log()
    task = board.tasks["t1"]
    _told(board, log("task.started", 1, "running"))
    told = _told(board, log("message.accepted", 1, message_id="m", seq=1, text="hurry", answers=[], sender="ada"))
    assert told == [Answered(task, "hurry", (), "ada")]
    assert task.queued == {1}
    _told(board, log("turn.started", 1, turn=2, messages=[{"message_id": "m", "seq": 1}]))
    assert not task.queued


def test_failure_and_what_depended_on_it_and_a_reopening() -> None:
    board, log = Board(execution([], [1])), Log()
    _told(
        board,
        log("task.started", 1, "running", "running"),
        log("turn.ended", 1, "failed", turn=1, error={"code": "scripted_fatal"}),
        log("task.failed", 2, "failed", "failed", code="dependency_failed"),
    )
    first, second = board.tasks.values()
    assert (first.error, second.error, board.state) == ("scripted_fatal", "dependency_failed", ExecutionState.FAILED)
    told = _told(
        board,
        log("message.accepted", 1, "running", "running", message_id="m", seq=1, text="again", answers=[], sender=""),
        log("task.reset", 2, "pending"),
    )
    assert [type(happening) for happening in told] == [Answered, Started, Noted]
    assert (first.error, second.error, second.state) == (None, None, TaskState.PENDING)


def test_an_event_that_is_newer_than_this_client_changes_states_only() -> None:
    board, log = Board(execution([])), Log()
    assert _told(board, log("task.teleported", 1, "paused", "paused")) == [Noted(board.tasks["t1"], "is paused")]
    assert _told(board, log("something.else")) == []
    assert board.tasks["t1"].state is TaskState.PAUSED
