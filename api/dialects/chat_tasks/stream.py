"""The chat task API's stream: an encoder of Baton's events. Pure, but for the last frame, which looks the task up.

A step's id is the one that the list of steps has. Deltas name the message that they will make; `message.completed` has
all of it, also where a step was tried again and what it had streamed does not count.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from api.dialects.chat_tasks import translate
from api.dialects.chat_tasks.errors import ERRORS
from api.errors import status_of
from api.frames import Encoder, Frame
from baton.domain.agents import Principal
from baton.domain.errors import TaskNotFound, Unavailable
from baton.domain.events import Event, EventType
from baton.domain.ids import TaskById
from baton.domain.json import JsonObject
from baton.domain.states import TaskState
from baton.service import tasks
from baton.service.context import Baton
from baton.service.feed import OVER, Subscription

#: A stream ends with its task, and with its question.
ENDS: Final = OVER | {TaskState.WAITING}


def task_encoder(baton: Baton, who: Principal, number: int, task_id: UUID) -> Encoder:
    """What happens to one task, which the client knows by its integer."""

    def frames(_: UUID, event: Event) -> Sequence[Frame]:
        return tuple(_frames(number, event)) if event.task_id == task_id else ()

    async def end(_: Subscription) -> Frame | None:
        return await _last(baton, who, task_id)

    return Encoder(f"chat_tasks:{task_id}", frames, end, _cut)


def _frames(number: int, event: Event) -> Iterator[Frame]:
    yield from _text_frames(event)
    if step := _step(event):
        yield step
    if event.task_state is not None:
        yield "task.status", {"task_id": number, "status": translate.STATUS[event.task_state]}


def _text_frames(event: Event) -> Iterator[Frame]:
    """What the agent says, whole or in pieces."""
    data = event.data
    said_by = translate.message_id(translate.step_of(data.get("turn"), data.get("step")))
    match event.type:
        case EventType.TEXT_DELTA:
            yield "message.delta", {"message_id": said_by, "text": data.get("text")}
        case EventType.STEP_COMPLETED if data.get("text"):
            yield "message.completed", {"message_id": said_by, "content": data["text"]}
        case EventType.QUESTION_ASKED:
            asked = translate.message_id(str(data.get("question_id")))
            yield "message.completed", {"message_id": asked, "content": data.get("text")}
        case _:
            pass


def _step(event: Event) -> Frame | None:
    """A step that begins or ends. The log does not say again when one that ends began: the list of steps does."""
    data, at = event.data, event.at
    name = translate.step_of(data.get("turn"), data.get("step"))
    match event.type:
        case EventType.STEP_STARTED:
            return _started(translate.thinking(name, "running", started_at=at, completed_at=None))
        case EventType.STEP_COMPLETED:
            more: JsonObject = {"interrupted": True} if data.get("interrupted") else {}
            return _completed(translate.thinking(name, "completed", started_at=at, completed_at=at, **more))
        case EventType.STEP_FAILED if not data.get("retrying"):
            return _completed(
                translate.thinking(name, "failed", started_at=at, completed_at=at, error=data.get("code"))
            )
        case EventType.TOOL_STARTED:
            called: JsonObject = {"name": data.get("name"), "args": data.get("arguments")}
            return _started(
                translate.tool_call(_call(name, data), "running", started_at=at, completed_at=None, data=called)
            )
        case EventType.TOOL_COMPLETED:
            failed = bool(data.get("failed"))
            gave: JsonObject = {"name": data.get("name")} | translate.outcome(data.get("content"), failed=failed)
            status = "failed" if failed else "completed"
            return _completed(translate.tool_call(_call(name, data), status, started_at=at, completed_at=at, data=gave))
        case EventType.MESSAGE_ACCEPTED | EventType.MESSAGE_EDITED | EventType.MESSAGE_REDRIVEN:
            return _completed(translate.message(str(data.get("message_id")), "user", data.get("text"), at=at))
        case _:
            return None


def _call(name: str, data: JsonObject) -> str:
    return f"{name}.{data.get('call_id')}"


def _started(step: JsonObject) -> Frame:
    return "step.started", {"step": step}


def _completed(step: JsonObject) -> Frame:
    return "step.completed", {"step": step}


async def _last(baton: Baton, who: Principal, task_id: UUID) -> Frame | None:
    """The last frame of a task that is over or waits; None for one that has gone on since."""
    try:
        task = await tasks.get_task(baton, who, TaskById(task_id))
    except (TaskNotFound, Unavailable) as error:
        return "stream.error", {"code": status_of(error, ERRORS).code, "message": error.message}
    if task.state is TaskState.WAITING:
        return "task.input_required", {"task_id": task.number, "prompt": translate.prompt_of(task)}
    if not task.state.is_over:
        return None
    return "task.completed", {
        "status": translate.STATUS[task.state],
        "output": translate.output_of(task),
        "error": translate.error_of(task),
    }


def _cut() -> Frame:
    """The server ends a connection while its task goes on."""
    return "stream.error", {"code": "stream_expired", "message": "the connection has become too old: connect again"}
