"""What Maia calls a task's messages: an entry for each event that tells of the conversation. Pure."""

from collections.abc import Callable
from typing import Final

from api.dialects.maia.translate import resting_status
from baton.domain.events import Event, EventType
from baton.domain.json import JsonObject

E = EventType


def entry(event: Event, description: str) -> JsonObject:
    """An event that `SHOWN` names as an entry. ``description``: what the task was told when it was made."""
    kind, say = _ENTRIES[EventType(event.type)]
    data: JsonObject = {"type": kind, **say(event)}
    if event.type is E.TASK_STARTED:
        data["content"] = description
    return {"data": data, "groupId": _group(event), "timestamp": event.at.isoformat()}


def _group(event: Event) -> str:
    """Entries of one turn belong together; what was said to it, and what it asked, goes by its own id."""
    data = event.data
    if data.get("turn") is not None:
        return f"turn-{data['turn']}"
    return str(data.get("message_id") or data.get("question_id") or f"event-{event.seq}")


def _said(event: Event) -> JsonObject:
    return {"role": "user", "content": event.data.get("text"), "messageId": event.data.get("message_id")}


def _answered(event: Event) -> JsonObject:
    calls = event.data.get("calls")
    return {
        "role": "assistant",
        "content": event.data.get("text"),
        "toolCalls": [
            {"toolCallId": call.get("id"), "toolName": call.get("name"), "toolInput": call.get("arguments")}
            for call in (calls if isinstance(calls, list) else ())
            if isinstance(call, dict)
        ],
        "interrupted": bool(event.data.get("interrupted")),
    }


def _called(event: Event) -> JsonObject:
    data = event.data
    return {"toolCallId": data.get("call_id"), "toolName": data.get("name"), "toolInput": data.get("arguments")}


def _gave(event: Event) -> JsonObject:
    data = event.data
    return {
        "toolCallId": data.get("call_id"),
        "toolName": data.get("name"),
        "toolOutput": data.get("content"),
        "failed": bool(data.get("failed")),
    }


def _asked(event: Event) -> JsonObject:
    data = event.data
    return {
        "id": data.get("question_id"),
        "question": data.get("text"),
        "options": data.get("choices"),
        "schema": data.get("schema"),
    }


def _held(event: Event) -> JsonObject:
    data = event.data
    return {
        "toolId": data.get("approval_id"),
        "toolCallId": data.get("call_id"),
        "toolName": data.get("tool"),
        "toolInput": data.get("arguments"),
    }


def _decided(event: Event) -> JsonObject:
    data = event.data
    return {
        "toolId": data.get("approval_id"),
        "toolCallId": data.get("call_id"),
        "toolName": data.get("tool"),
        "decision": data.get("decision"),
        "reason": data.get("reason"),
    }


def _failed(event: Event) -> JsonObject:
    return {"code": event.data.get("code"), "retrying": bool(event.data.get("retrying"))}


def _stands(event: Event) -> JsonObject:
    state = event.task_state
    return {
        "status": state and resting_status(state),
        "result": event.data.get("result"),
        "error": event.data.get("error") or event.data.get("code"),
    }


#: The events that have an entry: what it is called, and what it says.
_ENTRIES: Final[dict[EventType, tuple[str, Callable[[Event], JsonObject]]]] = {
    E.TASK_STARTED: ("user_message", _said),
    E.MESSAGE_ACCEPTED: ("user_message", _said),
    E.MESSAGE_REDRIVEN: ("user_message", _said),
    E.MESSAGE_EDITED: ("user_message_edited", _said),
    E.MESSAGE_WITHDRAWN: ("user_message_withdrawn", _said),
    E.STEP_COMPLETED: ("agent_message", _answered),
    E.STEP_FAILED: ("error", _failed),
    E.TOOL_STARTED: ("tool_call", _called),
    E.TOOL_COMPLETED: ("tool_result", _gave),
    E.QUESTION_ASKED: ("question", _asked),
    E.APPROVAL_ASKED: ("permission_request", _held),
    E.APPROVAL_DECIDED: ("permission_decision", _decided),
    E.TURN_ENDED: ("status", _stands),
    E.TASK_PAUSED: ("status", _stands),
    E.TASK_RESUMED: ("status", _stands),
    E.TASK_CANCELLED: ("status", _stands),
    E.TASK_FAILED: ("status", _stands),
}

SHOWN: Final = tuple(_ENTRIES)
