"""An execution's events as Asteroid's activities. Pure: what an event makes depends on that event alone.

Clients refuse a whole list for one type that they do not know, so that there are no others than these six: `generic`,
`reasoning`, `step_started`, `step_completed`, `status_changed`, `user_message_received`.
"""

from collections.abc import Iterator
from typing import Final, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from api.dialects.asteroid.translate import CONSENT, FAILURE, FINISHED, STATUS, SUCCESS
from api.ids import parse_uuid
from baton.domain.approvals import call_question
from baton.domain.events import Event, EventType
from baton.domain.json import JsonObject, JsonValue
from baton.domain.states import ExecutionState, TaskState

#: The events that make activities, whatever they do to the execution's state.
TYPES: Final = (
    EventType.MESSAGE_ACCEPTED,
    EventType.MESSAGE_EDITED,
    EventType.MESSAGE_WITHDRAWN,
    EventType.MESSAGE_REDRIVEN,
    EventType.STEP_STARTED,
    EventType.STEP_COMPLETED,
    EventType.STEP_FAILED,
    EventType.TOOL_STARTED,
    EventType.TOOL_COMPLETED,
    EventType.QUESTION_REMINDED,
    EventType.QUESTION_ESCALATED,
    EventType.APPROVAL_DECIDED,
    EventType.TURN_ENDED,
)
_QUESTION: Final = "Question"
_PAUSED: Final = "Somebody has paused it."
#: Names are turned into uuids within this.
_USERS: Final = uuid5(NAMESPACE_URL, "urn:baton:users")


def activities(execution_id: UUID, event: Event) -> list[JsonObject]:
    """What an event makes, in order; often nothing."""
    return [
        {
            "id": str(uuid5(execution_id, f"{event.seq}.{number}")),
            "executionId": str(execution_id),
            "timestamp": event.at.isoformat(),
            "payload": payload,
        }
        for number, payload in enumerate(_payloads(event))
    ]


def user_uuid(sender: str) -> str:
    """A sender as a uuid: itself where it is one, else always the same for the same name."""
    return str(parse_uuid(sender) or uuid5(_USERS, sender))


def _payloads(event: Event) -> Iterator[JsonObject]:
    yield from _what_happened(event)
    if event.execution_state is not None:
        yield _status_changed(event, event.execution_state)
    elif event.type is EventType.TURN_ENDED and event.task_state is TaskState.WAITING:
        # Other tasks of the plan are at work: its status says nothing of what this one asks.
        for text in (*(str(q["text"]) for q in _items(event, "questions")), *_consent_asked(event)):
            yield _generic(text)


def _what_happened(event: Event) -> Iterator[JsonObject]:
    data = event.data
    match event.type:
        case EventType.MESSAGE_ACCEPTED | EventType.MESSAGE_REDRIVEN:
            yield {
                "activityType": "user_message_received",
                "message": data.get("text"),
                "userUUID": user_uuid(str(data.get("sender"))),
            }
        case EventType.MESSAGE_EDITED:
            yield _generic(f"A message was changed, and says now: {data.get('text')}")
        case EventType.MESSAGE_WITHDRAWN:
            yield _generic("A message was withdrawn.")
        case EventType.STEP_STARTED:
            yield _step(event, "step_started")
        case EventType.STEP_COMPLETED:
            if text := data.get("text"):
                # What it says before it calls tools is why it does.
                yield {"activityType": "reasoning", "reasoning": text} if data.get("calls") else _generic(str(text))
            yield _step(event, "step_completed")
        case EventType.STEP_FAILED if not data.get("retrying"):
            yield _generic(f"The step failed: {data.get('code')}.")
            yield _step(event, "step_completed")
        case EventType.TOOL_STARTED:
            yield _generic(f"Calls {data.get('name')}.")
        case EventType.TOOL_COMPLETED:
            yield _generic(f"{data.get('name')} {'has failed' if data.get('failed') else 'is done'}.")
        case EventType.QUESTION_REMINDED | EventType.QUESTION_ESCALATED:
            yield _generic(f"Nobody has answered yet: {data.get('text')}")
        case EventType.APPROVAL_DECIDED:
            yield _generic(f"Whether {data.get('tool')} may be called was decided: {data.get('decision')}.")
        case _:
            pass


def _generic(message: str) -> JsonObject:
    return {"activityType": "generic", "message": message}


def _step(event: Event, kind: str) -> JsonObject:
    """Steps are numbered from 1 within their turn."""
    return {"activityType": kind, "stepNumber": cast("int", event.data.get("step", 0)) + 1}


def _status_changed(event: Event, state: ExecutionState) -> JsonObject:
    status = STATUS[state]
    more: JsonObject = {}
    match state:
        case ExecutionState.WAITING:
            status, more = _waiting(event)
        case ExecutionState.PAUSED:
            more = {"pausedPayload": {"reason": _PAUSED}}
        case ExecutionState.SUCCEEDED:
            result = event.data.get("result")
            more = {"completedPayload": {"outcome": SUCCESS, "reasoning": FINISHED, "result": result}}
        case ExecutionState.FAILED:
            reason = event.data.get("error") or event.data.get("code") or FAILURE
            more = {"failedPayload": {"reason": reason}}
        case ExecutionState.CANCELLED:
            more = {"cancelledPayload": {"reason": "user_requested"}}
        case ExecutionState.PENDING | ExecutionState.RUNNING:
            pass
    return {"activityType": "status_changed", "status": status, **more}


def _waiting(event: Event) -> tuple[str, JsonObject]:
    """The status of an execution that has come to wait, and what for: answers, or consent alone."""
    waiting = _items(event, "waiting")
    reason = "\n".join(str(task.get("question")) for task in waiting)
    asking = [task for task in waiting if not task.get("consent")]
    if waiting and not asking:
        return CONSENT, {"awaitingConfirmationPayload": {"reason": reason}}
    questions = [_question(str(asked.get("text")), asked.get("choices")) for asked in _items(event, "questions")]
    others = [task for task in asking if not questions or task.get("position") != event.position]
    questions += [_question(str(task.get("question")), None) for task in others]
    shown: JsonObject = {"reason": reason, "question": {"questions": cast("list[JsonValue]", questions)}}
    return STATUS[ExecutionState.WAITING], {"pausedPayload": shown}


def _question(text: str, choices: JsonValue) -> JsonObject:
    offered = cast("list[str]", choices or [])
    return {
        "question": text,
        "header": _QUESTION,
        "options": [{"label": choice, "description": choice} for choice in offered],
    }


def _consent_asked(event: Event) -> list[str]:
    return [call_question(str(one.get("tool")), one.get("arguments")) for one in _items(event, "approvals")]


def _items(event: Event, name: str) -> list[JsonObject]:
    return cast("list[JsonObject]", event.data.get(name) or [])
