"""An execution's events as Asteroid's activities. Pure: what an event makes depends on that event alone.

Clients refuse a whole list for one type that they do not know, so that there are no others than these six: `generic`,
`reasoning`, `step_started`, `step_completed`, `status_changed`, `user_message_received`.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, assert_never, get_args
from uuid import NAMESPACE_URL, UUID, uuid5

from api.dialects.asteroid.translate import CONSENT, FAILURE, FINISHED, STATUS, SUCCESS
from api.ids import parse_uuid
from baton.domain import events
from baton.domain.approvals import call_question
from baton.domain.events import Body, Event
from baton.domain.events.outcomes import TaskOutcome, outcome_of
from baton.domain.states import ExecutionState, TaskState

#: An activity's payload, before it is JSON.
Payload: TypeAlias = dict[str, object]

#: The events that make activities, whatever they do to the execution's state.
Told: TypeAlias = (
    events.MessageAccepted
    | events.MessageEdited
    | events.MessageWithdrawn
    | events.MessageRedriven
    | events.StepStarted
    | events.StepCompleted
    | events.StepFailed
    | events.ContextCompacted
    | events.ToolStarted
    | events.ToolCompleted
    | events.QuestionReminded
    | events.QuestionEscalated
    | events.ApprovalDecided
    | events.TurnEnded
)
TYPES: Final = tuple(body.type for body in get_args(Told))
_QUESTION: Final = "Question"
_PAUSED: Final = "Somebody has paused it."
#: Names are turned into uuids within this.
_USERS: Final = uuid5(NAMESPACE_URL, "urn:baton:users")


def activities(execution_id: UUID, event: Event) -> list[dict[str, object]]:
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


def _payloads(event: Event) -> Iterator[Payload]:
    yield from _what_happened(event.body)
    if event.execution_state is not None:
        yield _status_changed(event, event.execution_state)
    elif isinstance(event.body, events.TurnEnded) and event.task_state is TaskState.WAITING:
        # Other tasks of the plan are at work: its status says nothing of what this one asks.
        asked = outcome_of(event)
        for question in asked.questions:
            yield _generic(question.text)
        for approval in asked.approvals:
            yield _generic(call_question(approval.tool, approval.arguments))


def _what_happened(body: Body) -> Iterator[Payload]:
    match body:
        case events.MessageAccepted(text=text, sender=sender) | events.MessageRedriven(text=text, sender=sender):
            yield {"activityType": "user_message_received", "message": text, "userUUID": user_uuid(sender)}
        case events.MessageEdited(text=text):
            yield _generic(f"A message was changed, and says now: {text}")
        case events.MessageWithdrawn():
            yield _generic("A message was withdrawn.")
        case events.StepStarted(step=step):
            yield _step("step_started", step)
        case events.StepCompleted(step=step, text=text, calls=calls):
            if text:
                # What it says before it calls tools is why it does.
                yield {"activityType": "reasoning", "reasoning": text} if calls else _generic(text)
            yield _step("step_completed", step)
        case events.StepFailed(step=step, code=code, retrying=retrying):
            if not retrying:
                yield _generic(f"The step failed: {code}.")
                yield _step("step_completed", step)
        case events.ContextCompacted(step=step, usage=usage):
            if usage is not None:  # else the step was over long ago, and somebody has redone what it made
                yield _step("step_completed", step)
        case events.ToolStarted(name=name, attempt=attempt):
            yield _generic(f"Calls {name}." if attempt == 1 else f"Calls {name} again: attempt {attempt}.")
        case events.ToolCompleted(name=name, content=content, failed=failed):
            yield _generic(f"{name} has failed: {content}" if failed else f"{name} is done.")
        case events.QuestionReminded(text=text) | events.QuestionEscalated(text=text):
            yield _generic(f"Nobody has answered yet: {text}")
        case events.ApprovalDecided(tool=tool, decision=decision):
            yield _generic(f"Whether {tool} may be called was decided: {decision}.")
        case (
            events.ExecutionCreated()
            | events.ExecutionChanged()
            | events.TaskStarted()
            | events.TasksStarted()
            | events.TaskFailed()
            | events.TaskReset()
            | events.TaskPaused()
            | events.TaskResumed()
            | events.TaskCancelled()
            | events.TaskRepaired()
            | events.WorkflowLost()
            | events.WorkflowReplaced()
            | events.MessagesDead()
            | events.MessagePinned()
            | events.TurnStarted()
            | events.TurnEnded()
            | events.StepVoided()
            | events.StepUsed()
            | events.TextDelta()
            | events.ReasoningDelta()
            | events.NoteWritten()
            | events.ContextRestored()
            | events.QuestionAsked()
            | events.ApprovalAsked()
            | events.Unknown()
        ):
            pass
        case _:
            assert_never(body)


def _generic(message: str) -> Payload:
    return {"activityType": "generic", "message": message}


def _step(kind: str, step: int) -> Payload:
    """Steps are numbered from 1 within their turn."""
    return {"activityType": kind, "stepNumber": step + 1}


def _status_changed(event: Event, state: ExecutionState) -> Payload:
    status, outcome = STATUS[state], outcome_of(event)
    more: Payload = {}
    match state:
        case ExecutionState.WAITING:
            status, more = _waiting(event, outcome)
        case ExecutionState.PAUSED:
            more = {"pausedPayload": {"reason": _PAUSED}}
        case ExecutionState.SUCCEEDED:
            more = {"completedPayload": {"outcome": SUCCESS, "reasoning": FINISHED, "result": outcome.output}}
        case ExecutionState.FAILED:
            more = {"failedPayload": {"reason": outcome.error or FAILURE}}
        case ExecutionState.CANCELLED:
            more = {"cancelledPayload": {"reason": "user_requested"}}
        case ExecutionState.PENDING | ExecutionState.RUNNING:
            pass
    return {"activityType": "status_changed", "status": status, **more}


def _waiting(event: Event, outcome: TaskOutcome) -> tuple[str, Payload]:
    """The status of an execution that has come to wait, and what for: answers, or consent alone."""
    reason = "\n".join(task.question for task in event.waiting)
    asking = [task for task in event.waiting if not task.consent]
    if event.waiting and not asking:
        return CONSENT, {"awaitingConfirmationPayload": {"reason": reason}}
    questions = [_question(asked.text, asked.choices) for asked in outcome.questions]
    others = [task for task in asking if not questions or task.position != event.position]
    questions += [_question(task.question) for task in others]
    return STATUS[ExecutionState.WAITING], {"pausedPayload": {"reason": reason, "question": {"questions": questions}}}


def _question(text: str, choices: Sequence[str] = ()) -> Payload:
    return {
        "question": text,
        "header": _QUESTION,
        "options": [{"label": choice, "description": choice} for choice in choices],
    }
