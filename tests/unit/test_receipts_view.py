"""What a person at a terminal sees of a change of mind."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from rich.console import Console

from baton.cli.commands.messages import messages_table
from baton.cli.view.board import Board
from baton.cli.view.happenings import Asked, Ended, Happening, Noted
from baton.client.schemas.messages import MessageOut
from baton.client.shapes import Event
from baton.domain.conversation import Question
from baton.domain.states import TaskState
from tests.support.cli_events import Log, execution


def told(board: Board, *events: Event) -> list[Happening]:
    return [happening for event in events for happening in board.apply(event)]


def asked(log: Log) -> list[Event]:
    """A task has asked, and was answered."""
    question: dict[str, Any] = {"question_id": "q", "text": "Which?", "choices": [], "schema": None}
    return [
        log("task.started", 1, "running"),
        log("question.asked", 1, **question),
        log("turn.ended", 1, "waiting", "waiting", turn=1),
        log("message.accepted", 1, "running", "running", message_id="m", seq=1, text="a", answers=["q"], sender="ada"),
    ]


def test_a_withdrawn_answer_is_asked_again() -> None:
    board, log = Board(execution([])), Log()
    told(board, *asked(log))
    task = board.tasks["t1"]
    assert (task.questions, task.queued) == ({}, {1})
    question: dict[str, Any] = {"question_id": "q", "text": "Which?", "choices": [], "schema": None}
    gone = log("message.withdrawn", 1, "waiting", "waiting", message_id="m", seq=1, questions=[question], result=None)
    happened = told(board, gone)
    assert [type(one) for one in happened] == [Noted, Asked]
    assert happened[1] == Asked(task, Question("q", "Which?"))
    assert (list(task.questions), task.queued, task.state) == (["q"], set(), TaskState.WAITING)
    assert task.waiting_since is not None


def test_a_task_that_is_over_after_all() -> None:
    board, log = Board(execution([])), Log()
    task = board.tasks["t1"]
    told(board, log("task.started", 1, "running"), log("turn.ended", 1, "succeeded", "succeeded", result="Done."))
    told(board, log("message.accepted", 1, "running", "running", seq=1, text="and?", answers=[], sender="ada"))
    assert task.result is None
    gone = log("message.withdrawn", 1, "succeeded", "succeeded", seq=1, questions=[], result="Done.", error=None)
    assert told(board, gone)[-1] == Ended(task, TaskState.SUCCEEDED, "Done.", None)
    told(board, log("message.accepted", 1, "running", "running", seq=2, text="and?", answers=[], sender="ada"))
    gone = log("message.withdrawn", 1, "failed", "failed", seq=2, questions=[], result=None, error="broken")
    assert told(board, gone)[-1] == Ended(task, TaskState.FAILED, None, "broken")


def test_an_edit_and_another_try() -> None:
    board, log = Board(execution([])), Log()
    task = board.tasks["t1"]
    told(board, log("task.started", 1, "running"), log("messages.dead", 1, messages=[{"seq": 1}], reason="broken"))
    happened = told(board, log("message.redriven", 1, seq=2, text="a"), log("message.edited", 1, seq=2, text="b"))
    assert [type(one) for one in happened] == [Noted, Noted]
    assert task.queued == {2}


def test_messages_as_a_table() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def message(seq: int, state: str, **more: Any) -> MessageOut:
        times = {"accepted_at": (now - timedelta(hours=seq)).isoformat()}
        known = {"id": UUID(int=seq), "seq": seq, "task_id": UUID(int=9), "execution_id": UUID(int=8), "state": state}
        said: dict[str, Any] = {
            "text": f"text {seq}\nand more",
            "attachments": [],
            "origin": "baton",
            "sender": "ada",
            "answers": [],
        }
        absent = {"turn": None, "reason": None, "claimed_at": None, "ended_at": None}
        return MessageOut.model_validate({**known, **said, **absent, **times, **more})

    found = [
        message(1, "processed", turn=3, ended_at=(now - timedelta(seconds=5)).isoformat()),
        message(2, "dead", reason="model_broken"),
        message(3, "accepted", sender="", text="\x1b[31mevil\x07"),
    ]

    def drawn(*, name_tasks: bool) -> str:
        console = Console(width=80, color_system=None)
        with console.capture() as capture:
            console.print(messages_table(found, now, name_tasks=name_tasks))
        return capture.get()

    lines = [" ".join(line.split()) for line in drawn(name_tasks=False).splitlines()]
    assert "1 processed 5 s text 1" in lines
    assert "from ada · turn 3" in lines
    assert "2 dead 2 h text 2" in lines
    assert "from ada · model_broken" in lines
    assert "3 accepted 3 h [31mevil" in lines
    assert "from somebody" in lines
    assert str(UUID(int=3)) in lines
    assert f"task {UUID(int=9)}" not in lines
    assert f"task {UUID(int=9)}" in drawn(name_tasks=True)
