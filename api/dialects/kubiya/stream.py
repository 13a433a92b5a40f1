"""Kubiya's streams: encoders of Baton's events. Pure; the words are the vendor's, some are added where it has none.

Deltas come as `message_chunk`, each finished text once as `message`. Where a step is tried again, `message_void` says
that the chunks of that attempt do not count.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from api.dialects.kubiya.translate import EXECUTION_STATUS, PAUSED_QUESTION, PLAN_STATUS, TASK_STATUS
from api.frames import Encoder, Frame
from baton.domain.approvals import call_question
from baton.domain.events import Event, EventType
from baton.domain.json import JsonObject, JsonValue
from baton.domain.states import ExecutionState, TaskState
from baton.service.feed import Subscription


def plan_encoder() -> Encoder:
    """All that happens in a plan."""
    return Encoder("kubiya.plan", _plan_frames, _plan_end)


def task_encoder(shown_as: UUID, task_id: UUID) -> Encoder:
    """What happens to one task, which the client knows as the execution ``shown_as``."""

    def frames(_: UUID, event: Event) -> Sequence[Frame]:
        return tuple(_task_frames(str(shown_as), event)) if event.task_id == task_id else ()

    def end(subscription: Subscription) -> Frame:
        state = subscription.task_state
        return _done(subscription, str(shown_as), EXECUTION_STATUS[state] if state else "completed")

    return Encoder(f"kubiya.task:{shown_as}", frames, end)


def plan_as_execution_encoder() -> Encoder:
    """What happens to a plan, for clients that know it as an execution."""

    def frames(execution_id: UUID, event: Event) -> Sequence[Frame]:
        return tuple(_execution_frames(str(execution_id), event))

    def end(subscription: Subscription) -> Frame:
        state = subscription.ended or ExecutionState.SUCCEEDED
        return _done(subscription, str(subscription.execution_id), EXECUTION_STATUS[state])

    return Encoder("kubiya.execution", frames, end)


def _plan_end(subscription: Subscription) -> Frame:
    state = subscription.ended or ExecutionState.SUCCEEDED
    return _done(subscription, str(subscription.execution_id), PLAN_STATUS[state])


def _done(subscription: Subscription, execution_id: str, status: str) -> Frame:
    """The last frame, with the time of the event that it follows: whoever reads again reads the same."""
    at = subscription.last_at or datetime.now(UTC)
    return "done", {"execution_id": execution_id, "status": status, "timestamp": at.isoformat()}


def _plan_frames(execution_id: UUID, event: Event) -> Sequence[Frame]:
    """A plan's frames of one event: what happened to the task, then what follows for the plan."""
    common: JsonObject = {"execution_id": str(execution_id), "timestamp": event.at.isoformat()}
    if event.task_id is not None:
        common["task_id"] = event.position
        common["task_execution_id"] = str(event.task_id)
    return tuple((name, common | data) for name, data in (*_task_part(event), *_plan_part(event)))


def _task_part(event: Event) -> Iterator[tuple[str, JsonObject]]:
    match event.type:
        case EventType.EXECUTION_CREATED:
            tasks = cast("list[JsonObject]", event.data.get("tasks", []))
            yield (
                "plan_started",
                {
                    "plan_title": event.data.get("title"),
                    "status": "running",
                    "total_tasks": len(tasks),
                    "tasks": [
                        {
                            "task_id": task["position"],
                            "task_execution_id": task["id"],
                            "title": task["title"],
                            "status": TASK_STATUS[TaskState.PENDING],
                        }
                        for task in tasks
                    ],
                },
            )
        case EventType.TASK_STARTED:
            yield "task_started", {"title": event.data.get("title"), "status": TASK_STATUS[TaskState.RUNNING]}
        case EventType.TASKS_STARTED:
            yield "tasks_parallel", {"task_ids": event.data.get("tasks", [])}
        case EventType.TURN_STARTED:
            yield "task_running", {"status": TASK_STATUS[TaskState.RUNNING], "turn": event.data.get("turn")}
        case EventType.TASK_RESET:
            yield "task_reset", {"status": TASK_STATUS[TaskState.PENDING]}
        case _:
            yield from _text_part(event)
    yield from _state_part(event)


def _text_part(event: Event) -> Iterator[tuple[str, JsonObject]]:
    """What was said, by the user or by the agent."""
    data = event.data
    match event.type:
        case EventType.MESSAGE_ACCEPTED:
            yield (
                "message",
                {
                    "role": "user",
                    "content": data.get("text"),
                    "message_id": data.get("message_id"),
                    "queued": data.get("queued", False),
                },
            )
        case EventType.TEXT_DELTA:
            yield (
                "message_chunk",
                {
                    "role": "assistant",
                    "content": data.get("text"),
                    "turn": data.get("turn"),
                    "step": data.get("step"),
                    "attempt": data.get("attempt"),
                },
            )
        case EventType.STEP_VOIDED:
            yield (
                "message_void",
                {"turn": data.get("turn"), "step": data.get("step"), "attempt": data.get("attempt")},
            )
        case EventType.STEP_COMPLETED if data.get("text"):
            said: JsonObject = {
                "role": "assistant",
                "content": data["text"],
                "turn": data.get("turn"),
                "step": data.get("step"),
            }
            if data.get("interrupted"):
                said["interrupted"] = True
            yield "message", said
        case EventType.STEP_FAILED if not data.get("retrying"):
            yield "error", {"error": data.get("code")}
        case _:
            pass


def _state_part(event: Event) -> Iterator[tuple[str, JsonObject]]:
    """What a task has come to, where the event brought it there."""
    match event.task_state:
        case TaskState.WAITING:
            yield (
                "task_waiting_for_input",
                {
                    "status": TASK_STATUS[TaskState.WAITING],
                    "question": _question(event),
                    "questions": event.data.get("questions", []),
                },
            )
        case TaskState.PAUSED:
            yield (
                "task_waiting_for_input",
                {"status": TASK_STATUS[TaskState.PAUSED], "question": PAUSED_QUESTION, "questions": []},
            )
        case TaskState.SUCCEEDED | TaskState.FAILED | TaskState.CANCELLED as state:
            yield (
                "task_completed",
                {"status": TASK_STATUS[state], "output": event.data.get("result"), "error": _error(event, state)},
            )
        case _:
            pass


def _plan_part(event: Event) -> Iterator[tuple[str, JsonObject]]:
    """What a plan has come to, where the event brought it there."""
    state = event.execution_state
    if state is None or event.type is EventType.EXECUTION_CREATED:
        return
    status = PLAN_STATUS[state]
    yield "plan_status_update", {"status": status}
    if state in (ExecutionState.WAITING, ExecutionState.PAUSED):  # one word for both: its client is told what to do
        yield (
            "plan_waiting_for_input",
            {
                "status": status,
                "waiting_tasks": _waiting(event),
                "message": "The plan waits for input.",
            },
        )
    elif state.is_over:
        yield "plan_completed", {"status": status}


def _task_frames(shown_as: str, event: Event) -> Iterator[Frame]:
    common: JsonObject = {"execution_id": shown_as, "timestamp": event.at.isoformat()}
    for name, data in _text_part(event):
        yield name, common | data
    if event.task_state is not None:
        status: JsonObject = {"status": EXECUTION_STATUS[event.task_state]}
        if event.task_state is TaskState.WAITING:
            status |= {"question": _question(event), "questions": event.data.get("questions", [])}
        if event.task_state.is_over:
            status |= {"response": event.data.get("result"), "error_message": _error(event, event.task_state)}
        yield "status", common | status


def _execution_frames(shown_as: str, event: Event) -> Iterator[Frame]:
    common: JsonObject = {"execution_id": shown_as, "timestamp": event.at.isoformat()}
    if event.task_id is not None:
        common |= {"task_id": event.position, "task_execution_id": str(event.task_id)}
    for name, data in _text_part(event):
        yield name, common | data
    if event.execution_state is not None:
        yield "status", common | {"status": EXECUTION_STATUS[event.execution_state]}


def _question(event: Event) -> str:
    questions = cast("list[JsonObject]", event.data.get("questions") or [])
    approvals = cast("list[JsonObject]", event.data.get("approvals") or [])
    asked = (str(question.get("text", "")) for question in questions)
    calls = (call_question(str(approval.get("tool", "")), approval.get("arguments")) for approval in approvals)
    return "\n".join((*asked, *calls))


def _waiting(event: Event) -> list[JsonValue]:
    """All that the plan waits for, as its status call shows it: a message resumes a paused task."""
    waiting = cast("list[JsonObject]", event.data.get("waiting") or [])
    paused = cast("list[JsonObject]", event.data.get("paused") or [])
    resumable = ({**task, "question": PAUSED_QUESTION, "waiting_since": event.at.isoformat()} for task in paused)
    return [
        {
            "task_id": task.get("position"),
            "execution_id": task.get("task_id"),
            "question": task.get("question"),
            "waiting_since": task.get("waiting_since"),
        }
        for task in sorted((*waiting, *resumable), key=lambda task: cast("int", task.get("position", 0)))
    ]


def _error(event: Event, state: TaskState) -> JsonValue:
    if state is TaskState.SUCCEEDED:
        return None
    return event.data.get("error") or event.data.get("code") or state.value
