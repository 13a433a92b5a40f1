"""What a person at a terminal sees of a change of mind."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from rich.console import Console

from baton.cli.commands.messages import messages_table
from baton.client.board import Board
from baton.client.happenings import Ended, Happening, Noted, QuestionOpened
from baton.client.schemas.messages import MessageOut
from baton.domain.conversation import Question
from baton.domain.events import Event, MessageEdited, MessageRedriven, MessagesDead
from baton.domain.states import TaskState
from tests.support.cli_events import STARTED, Log, accepted, asked, execution, over, taken, task_id, withdrawn


def told(board: Board, *events: Event) -> list[Happening]:
    return [happening for event in events for happening in board.apply(event)]


def asked_and_answered(log: Log) -> list[Event]:
    """A task has asked, and was answered."""
    return [
        log(STARTED, 1, "running"),
        log(asked("q", "Which?"), 1),
        log(over(), 1, "waiting", "waiting"),
        log(accepted(1, "a", "q"), 1, "running", "running"),
    ]


def test_a_withdrawn_answer_is_asked_again() -> None:
    board, log = Board(execution([])), Log()
    told(board, *asked_and_answered(log))
    task = board.tasks[str(task_id(1))]
    assert (task.questions, task.queued) == ({}, {1})
    gone = log(withdrawn(1, "q"), 1, "waiting", "waiting")
    happened = told(board, gone)
    assert [type(one) for one in happened] == [Noted, QuestionOpened]
    assert happened[1] == QuestionOpened(task, Question("q", "Which?"))
    assert (list(task.questions), task.queued, task.state) == (["q"], set(), TaskState.WAITING)
    assert task.waiting_since is not None


def test_a_task_that_is_over_after_all() -> None:
    board, log = Board(execution([])), Log()
    task = board.tasks[str(task_id(1))]
    told(board, log(STARTED, 1, "running"), log(over("Done."), 1, "succeeded", "succeeded"))
    told(board, log(accepted(1, "and?"), 1, "running", "running"))
    assert task.result is None
    gone = log(withdrawn(1, result="Done."), 1, "succeeded", "succeeded")
    assert told(board, gone)[-1] == Ended(task, TaskState.SUCCEEDED, "Done.", None)
    told(board, log(accepted(2, "and?"), 1, "running", "running"))
    gone = log(withdrawn(2, error="broken"), 1, "failed", "failed")
    assert told(board, gone)[-1] == Ended(task, TaskState.FAILED, None, "broken")


def test_an_edit_and_another_try() -> None:
    board, log = Board(execution([])), Log()
    task = board.tasks[str(task_id(1))]
    told(board, log(STARTED, 1, "running"), log(MessagesDead(messages=taken(1), reason="broken"), 1))
    again = MessageRedriven(message_id=UUID(int=1), seq=2, was_seq=1, text="a", origin="baton", sender="ada")
    happened = told(board, log(again, 1), log(MessageEdited(message_id=UUID(int=1), seq=2, text="b"), 1))
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
        message(4, "accepted", author={"kind": "temporal", "id": "ada", "name": "ada"}),
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
    assert any(line.startswith("from ada in Temporal") for line in lines)
    assert "2 dead 2 h text 2" in lines
    assert "from ada · model_broken" in lines
    assert "3 accepted 3 h [31mevil" in lines
    assert "from somebody" in lines
    assert str(UUID(int=3)) in lines
    assert f"task {UUID(int=9)}" not in lines
    assert f"task {UUID(int=9)}" in drawn(name_tasks=True)
