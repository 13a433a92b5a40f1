"""What Maia calls a task's messages: an entry for each event that tells of the conversation. Pure."""

from typing import Final, TypeAlias, assert_never, get_args

from api.dialects.maia.translate import resting_status
from baton.domain import events
from baton.domain.events import Event
from baton.domain.events.outcomes import outcome_of
from baton.domain.events.parts import AskedQuestion, MessageRef, OfTurn

#: What an entry says, before it is JSON.
Data: TypeAlias = dict[str, object]

#: The events that have an entry.
Shown: TypeAlias = (
    events.TaskStarted
    | events.TaskFailed
    | events.TaskPaused
    | events.TaskResumed
    | events.TaskCancelled
    | events.MessageAccepted
    | events.MessageEdited
    | events.MessageWithdrawn
    | events.MessageRedriven
    | events.StepCompleted
    | events.StepFailed
    | events.ToolStarted
    | events.ToolCompleted
    | events.TurnEnded
    | events.QuestionAsked
    | events.ApprovalAsked
    | events.ApprovalDecided
)
SHOWN: Final = tuple(body.type for body in get_args(Shown))


def entry(event: Event, description: str) -> Data | None:
    """An event as an entry; None if it has none. ``description``: what the task was told when it was made."""
    said = _said(event, description)
    return None if said is None else {"data": said, "groupId": _group(event), "timestamp": event.at.isoformat()}


def _group(event: Event) -> str:
    """Entries of one turn belong together; what was said to it, and what it asked, goes by its own id."""
    match event.body:
        case OfTurn(turn=turn):
            return f"turn-{turn}"
        case MessageRef(message_id=message):
            return str(message)
        case AskedQuestion(question_id=question):
            return question
        case _:
            return f"event-{event.seq}"


def _said(event: Event, description: str) -> Data | None:
    body = event.body
    match body:
        case events.TaskStarted():
            return _message("user_message", description)
        case (
            events.MessageAccepted(text=text, message_id=message)
            | events.MessageRedriven(text=text, message_id=message)
        ):
            return _message("user_message", text, message)
        case events.MessageEdited(text=text, message_id=message):
            return _message("user_message_edited", text, message)
        case events.MessageWithdrawn(message_id=message):
            return _message("user_message_withdrawn", None, message)
        case events.StepCompleted():
            return {
                "type": "agent_message",
                "role": "assistant",
                "content": body.text,
                "toolCalls": [
                    {"toolCallId": call.id, "toolName": call.name, "toolInput": call.arguments} for call in body.calls
                ],
                "interrupted": body.interrupted,
            }
        case events.StepFailed(code=code, retrying=retrying):
            return {"type": "error", "code": code, "retrying": retrying}
        case events.ToolStarted(attempt=attempt):
            if attempt > 1:  # the call is in the log already
                return None
            return {
                "type": "tool_call",
                "toolCallId": body.call_id,
                "toolName": body.name,
                "toolInput": body.arguments,
            }
        case events.ToolCompleted():
            return {
                "type": "tool_result",
                "toolCallId": body.call_id,
                "toolName": body.name,
                "toolOutput": body.content,
                "failed": body.failed,
            }
        case events.QuestionAsked():
            return {
                "type": "question",
                "id": body.question_id,
                "question": body.text,
                "options": body.choices,
                "schema": body.schema,
            }
        case events.ApprovalAsked():
            return {
                "type": "permission_request",
                "toolId": body.approval_id,
                "toolCallId": body.call_id,
                "toolName": body.tool,
                "toolInput": body.arguments,
            }
        case events.ApprovalDecided():
            return {
                "type": "permission_decision",
                "toolId": body.approval_id,
                "toolCallId": body.call_id,
                "toolName": body.tool,
                "decision": body.decision,
                "reason": body.reason,
            }
        case (
            events.TurnEnded()
            | events.TaskPaused()
            | events.TaskResumed()
            | events.TaskCancelled()
            | events.TaskFailed()
        ):
            outcome = outcome_of(event)
            return {
                "type": "status",
                "status": event.task_state and resting_status(event.task_state),
                "result": outcome.result,
                "error": outcome.error,
            }
        case (
            events.ExecutionCreated()
            | events.ExecutionChanged()
            | events.TasksStarted()
            | events.TaskReset()
            | events.TaskRepaired()
            | events.WorkflowLost()
            | events.WorkflowReplaced()
            | events.MessagePinned()
            | events.MessagesDead()
            | events.TurnStarted()
            | events.StepStarted()
            | events.StepVoided()
            | events.StepUsed()
            | events.TextDelta()
            | events.ReasoningDelta()
            | events.NoteWritten()
            | events.ContextCompacted()
            | events.ContextRestored()
            | events.QuestionReminded()
            | events.QuestionEscalated()
            | events.Unknown()
        ):
            return None
        case _:
            assert_never(body)


def _message(kind: str, content: str | None, message: object = None) -> Data:
    return {"type": kind, "role": "user", "content": content, "messageId": message}
