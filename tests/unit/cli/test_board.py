"""What the event log means for the view."""

from typing import Any

from baton.client.board import Board
from baton.client.happenings import Answered, Began, Ended, Happening, Noted, QuestionOpened, Said
from baton.domain.conversation import Question, Usage
from baton.domain.events import (
    Event,
    StepCompleted,
    StepFailed,
    StepUsed,
    StepVoided,
    TaskFailed,
    TaskReset,
    ToolCompleted,
    TurnEnded,
    Unknown,
)
from baton.domain.mailbox import Ending
from baton.domain.states import ExecutionState, TaskState
from tests.support.cli_events import (
    CREATED,
    START,
    STARTED,
    STEP,
    Log,
    accepted,
    asked,
    execution,
    over,
    said,
    task_id,
    turn,
)
from tests.support.events import delta


def _told(board: Board, *events: Event) -> list[Happening]:
    return [happening for event in events for happening in board.apply(event)]


def test_a_question_and_its_answer() -> None:
    board, log = Board(execution([], [])), Log()
    told = _told(
        board,
        log(CREATED, execution_state="running"),
        log(STARTED, 1, "running"),
        log(turn(), 1),
        log(STEP, 1),
        log(delta("Let me "), 1),
        log(delta("see."), 1),
    )
    task = board.tasks[str(task_id(1))]
    assert [type(happening) for happening in told] == [Began]
    assert task.text == "Let me see."
    told = _told(
        board,
        log(said("Let me see."), 1),
        log(asked("q1", "Which?", ("a", "b")), 1),
        log(over(), 1, "waiting", "waiting"),
    )
    assert told == [Said(task, "Let me see."), QuestionOpened(task, Question("q1", "Which?", ("a", "b")))]
    assert (task.text, list(task.questions), task.state) == ("", ["q1"], TaskState.WAITING)
    assert task.waiting_since is not None
    assert board.state is ExecutionState.WAITING
    told = _told(
        board,
        log(accepted(1, "a", "q1"), 1, "running", "running"),
        log(turn(1), 1),
        log(over("Done with a."), 1, "succeeded", "succeeded"),
    )
    assert told == [Answered(task, "a", ("q1",), "ada"), Ended(task, TaskState.SUCCEEDED, "Done with a.", None)]
    assert not task.questions
    assert not task.queued
    assert task.waiting_since is None
    assert board.seq == log.seq
    assert board.now is not None
    assert (board.now - START).total_seconds() == log.seq


def test_an_answer_that_is_no_result_says_why() -> None:
    board, log = Board(execution([])), Log()
    for event in (log(CREATED), log(STARTED, 1, "running"), log(STEP, 1)):
        board.apply(event)
    refused = StepCompleted(turn=1, step=0, text="three", refused="it is not JSON")
    said, noted = board.apply(log(refused, 1))
    assert isinstance(said, Said)
    assert isinstance(noted, Noted)
    assert "it is not JSON" in noted.text
    board.apply(log(TurnEnded(turn=1, outcome=Ending.ANSWERED, result={"count": 3}), 1, "succeeded"))
    assert board.tasks[str(task_id(1))].result == '{"count": 3}'


def test_a_voided_step_takes_its_text_back() -> None:
    board, log = Board(execution([])), Log()
    task = board.tasks[str(task_id(1))]
    _told(board, log(STARTED, 1, "running"), log(STEP, 1), log(delta("half a "), 1))
    told = _told(board, log(StepVoided(turn=1, step=0, attempt=1), 1))
    assert [type(happening) for happening in told] == [Noted]
    assert task.text == ""
    _told(board, log(delta("whole"), 1))
    assert task.text == "whole"


def test_a_message_to_a_task_at_work_is_queued_until_a_turn_takes_it() -> None:
    board, log = Board(execution([])), Log()
    task = board.tasks[str(task_id(1))]
    _told(board, log(STARTED, 1, "running"))
    told = _told(board, log(accepted(1, "hurry"), 1))
    assert told == [Answered(task, "hurry", (), "ada")]
    assert task.queued == {1}
    _told(board, log(turn(1), 1))
    assert not task.queued


def test_failure_and_what_depended_on_it_and_a_reopening() -> None:
    board, log = Board(execution([], [1])), Log()
    _told(
        board,
        log(STARTED, 1, "running", "running"),
        log(over(error="scripted_fatal"), 1, "failed"),
        log(TaskFailed(code="dependency_failed"), 2, "failed", "failed"),
    )
    first, second = board.tasks.values()
    assert (first.error, second.error, board.state) == ("scripted_fatal", "dependency_failed", ExecutionState.FAILED)
    told = _told(
        board,
        log(accepted(1, "again"), 1, "running", "running"),
        log(TaskReset(), 2, "pending"),
    )
    assert [type(happening) for happening in told] == [Answered, Began, Noted]
    assert (first.error, second.error, second.state) == (None, None, TaskState.PENDING)


def test_an_event_that_is_newer_than_this_client_changes_states_only() -> None:
    board, log = Board(execution([])), Log()
    assert _told(board, log(Unknown("task.teleported", {}), 1, "paused", "paused")) == [
        Noted(board.tasks[str(task_id(1))], "is paused")
    ]
    assert _told(board, log(Unknown("something.else", {}))) == []
    assert board.tasks[str(task_id(1))].state is TaskState.PAUSED


def test_a_call_that_failed_says_why() -> None:
    board, log = Board(execution([], [])), Log()
    call: dict[str, Any] = {"turn": 1, "step": 0, "call_id": "c", "name": "refund"}
    told = _told(
        board,
        log(CREATED, execution_state="running"),
        log(STARTED, 1, "running"),
        log(ToolCompleted(content={"paid": True}, **call), 1),
        log(ToolCompleted(content="refund failed with OSError: shut", failed=True, **call), 1),
    )
    task = board.tasks[str(task_id(1))]
    assert told[1:] == [Noted(task, "the call of refund failed: refund failed with OSError: shut")]


def test_what_all_steps_have_used() -> None:
    board, log = Board(execution([])), Log()
    one, whole = Usage(10, 1, calls=1), Usage(100, 20, 60, 5, 0.25, 1)
    _told(
        board,
        log(StepFailed(turn=1, step=0, attempt=1, code="x", retrying=True, usage=one), 1),
        log(StepUsed(turn=1, step=0, attempt=2, usage=one), 1),
        log(StepCompleted(turn=1, step=0, text="", usage=whole), 1),
        log(StepCompleted(turn=1, step=1, text=""), 1),
    )
    assert board.used == one + one + whole
