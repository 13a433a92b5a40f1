"""Questions and approvals, as rows hold them."""

from datetime import UTC, datetime
from typing import cast

from baton.domain.approvals import Approval
from baton.domain.conversation import Question
from baton.domain.json import JsonObject, JsonValue


def questions_of(items: list[JsonObject]) -> tuple[Question, ...]:
    """Questions from a task's row."""
    return tuple(
        Question(
            id=cast("str", item["id"]),
            text=cast("str", item["text"]),
            choices=tuple(cast("list[str]", item.get("choices") or [])),
            schema=cast("JsonObject | None", item.get("schema")),
            call_id=cast("str", item.get("call_id", "")),
            turn=cast("int", item.get("turn", 0)),
            asked_at=cast("str", item.get("asked_at", "")),
            deadline_at=cast("str", item.get("deadline_at", "")),
            default=cast("str", item.get("default", "")),
            remind_at=cast("str", item.get("remind_at", "")),
            escalate_at=cast("str", item.get("escalate_at", "")),
        )
        for item in items
    )


def question_json(question: Question) -> JsonObject:
    """A question as a task's row holds it, and as events show it."""
    return {
        "id": question.id,
        "text": question.text,
        "choices": cast("list[JsonValue]", list(question.choices)),
        "schema": question.schema,
        "call_id": question.call_id,
        "turn": question.turn,
        "asked_at": question.asked_at or datetime.now(UTC).isoformat(),
        "deadline_at": question.deadline_at,
        "default": question.default,
        "remind_at": question.remind_at,
        "escalate_at": question.escalate_at,
    }


def approvals_of(items: list[JsonObject]) -> tuple[Approval, ...]:
    """Approvals from a task's row."""
    return tuple(
        Approval(
            id=cast("str", item["id"]),
            call_id=cast("str", item["call_id"]),
            turn=cast("int", item["turn"]),
            step=cast("int", item["step"]),
            tool=cast("str", item["tool"]),
            arguments=cast("JsonObject", item["arguments"]),
            digest=cast("str", item["digest"]),
            asked_at=cast("str", item["asked_at"]),
        )
        for item in items
    )


def approval_json(approval: Approval) -> JsonObject:
    """An approval as a task's row holds it."""
    return {
        "id": approval.id,
        "call_id": approval.call_id,
        "turn": approval.turn,
        "step": approval.step,
        "tool": approval.tool,
        "arguments": approval.arguments,
        "digest": approval.digest,
        "asked_at": approval.asked_at,
    }
