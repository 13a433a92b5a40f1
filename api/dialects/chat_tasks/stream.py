"""The chat task API's stream: an encoder of Baton's events. Pure, but for the last frame, which looks the task up.

A step's id is the one that the list of steps has. Deltas name the message that they will make; `message.completed` has
all of it, also where a step was tried again and what it had streamed does not count.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from api.dialects.chat_tasks import translate
from api.dialects.chat_tasks.errors import ERRORS
from api.errors import status_of
from api.frames import Encoder, Frame
from baton.domain import events
from baton.domain.agents import Principal
from baton.domain.errors import TaskNotFound, Unavailable
from baton.domain.events import Body, Event
from baton.domain.events.parts import OfCall
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
    yield from _said_and_done(event.body, event.at)
    if event.task_state is not None:
        yield "task.status", {"task_id": number, "status": translate.STATUS[event.task_state]}


def _said_and_done(body: Body, at: datetime) -> Iterator[Frame]:
    """What is said, whole or in pieces, and the steps that begin or end.

    The log does not say again when a step that ends began: the list of steps does.
    """
    match body:
        case events.TextDelta(turn=turn, step=step, text=text):
            yield "message.delta", {"message_id": translate.message_id(translate.step_of(turn, step)), "text": text}
        case events.StepStarted(turn=turn, step=step):
            name = translate.step_of(turn, step)
            yield _started(translate.thinking(name, "running", started_at=at, completed_at=None))
        case events.StepCompleted(turn=turn, step=step, text=text):
            name = translate.step_of(turn, step)
            if text:
                yield "message.completed", {"message_id": translate.message_id(name), "content": text}
            more: JsonObject = {"interrupted": True} if body.interrupted else {}
            yield _completed(translate.thinking(name, "completed", started_at=at, completed_at=at, **more))
        case events.ContextCompacted(turn=turn, step=step, usage=usage):
            if usage is not None:  # else the step was over long ago, and somebody has redone what it made
                name = translate.step_of(turn, step)
                yield _completed(translate.thinking(name, "completed", started_at=at, completed_at=at))
        case events.StepFailed(turn=turn, step=step, code=code, retrying=retrying):
            name = translate.step_of(turn, step)
            if not retrying:
                yield _completed(translate.thinking(name, "failed", started_at=at, completed_at=at, error=code))
        case events.ToolStarted(attempt=attempt):
            if attempt == 1:  # else it is shown as running already
                called: JsonObject = {"name": body.name, "args": body.arguments}
                call = translate.tool_call(_call(body), "running", started_at=at, completed_at=None, data=called)
                yield _started(call)
        case events.ToolCompleted():
            gave: JsonObject = {"name": body.name} | translate.outcome(body.content, failed=body.failed)
            status = "failed" if body.failed else "completed"
            yield _completed(translate.tool_call(_call(body), status, started_at=at, completed_at=at, data=gave))
        case events.QuestionAsked(question_id=question, text=text):
            yield "message.completed", {"message_id": translate.message_id(question), "content": text}
        case events.MessageAccepted() | events.MessageEdited() | events.MessageRedriven():
            yield _completed(translate.message(str(body.message_id), "user", body.text, at=at))
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
            | events.MessageWithdrawn()
            | events.MessagePinned()
            | events.MessagesDead()
            | events.TurnStarted()
            | events.TurnEnded()
            | events.StepVoided()
            | events.ReasoningDelta()
            | events.StepUsed()
            | events.NoteWritten()
            | events.ContextRestored()
            | events.QuestionReminded()
            | events.QuestionEscalated()
            | events.ApprovalAsked()
            | events.ApprovalDecided()
            | events.Unknown()
        ):
            pass
        case _:
            assert_never(body)


def _call(body: OfCall) -> str:
    return f"{translate.step_of(body.turn, body.step)}.{body.call_id}"


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
