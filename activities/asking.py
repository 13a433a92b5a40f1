"""What a model's reply asks of people."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from baton.agents.tools import ASK_USER, ToolFailed, question_of
from baton.domain.allowance import GO_ON, STOP
from baton.domain.answers import problems
from baton.domain.conversation import ModelReply, Question, ToolResult
from baton.domain.ids import StepKey


def questions_of(reply: ModelReply, turn: int) -> tuple[list[Question], list[ToolResult]]:
    """The questions of a reply's `ask_user` calls, and what the model is told of those that ask nothing."""
    asked: list[Question] = []
    refused: list[ToolResult] = []
    now = datetime.now(UTC)

    def later(seconds: float | None) -> str:
        return "" if seconds is None else (now + timedelta(seconds=seconds)).isoformat()

    for call in reply.calls:
        if call.name != ASK_USER:
            continue
        try:
            asking = question_of(call)
        except ToolFailed as error:
            refused.append(ToolResult(call.id, error.message, failed=True))
            continue
        question = Question(
            id=str(uuid4()),
            text=asking.text,
            choices=asking.choices,
            schema=asking.schema,
            call_id=call.id,
            turn=turn,
            asked_at=now.isoformat(),
            deadline_at=later(asking.deadline_seconds),
            default=asking.default or "",
            remind_at=later(asking.remind_after_seconds),
            escalate_at=later(asking.escalate_after_seconds),
        )
        if asking.default and (wrong := problems(question, asking.default)):
            refused.append(ToolResult(call.id, f"{ASK_USER} was not called. default: {'; '.join(wrong)}", failed=True))
        else:
            asked.append(question)
    return asked, refused


def question_of_limit(key: StepKey, call_id: str, text: str, choices: tuple[str, ...] = (GO_ON, STOP)) -> Question:
    """What a task asks that no model has: whether to go on. ``call_id`` says which limits it is about."""
    return Question(
        id=str(uuid4()),
        text=text,
        choices=choices,
        call_id=call_id,
        turn=key.turn,
        asked_at=datetime.now(UTC).isoformat(),
    )
