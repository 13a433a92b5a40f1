"""Between Baton's words and the chat task API's. Pure; the table of statuses is here and nowhere else."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, cast

from api.dialects.chat_tasks.schemas import AppendMessageRequest
from api.options import SendOptions
from baton.domain.approvals import Approval, question_text
from baton.domain.conversation import Question
from baton.domain.json import JsonObject, JsonValue
from baton.domain.messages import Draft, Receipt
from baton.domain.states import MessageState, SendMode, StepState, TaskState
from baton.domain.timeline import MadeCall, SaidMessage, TakenStep, Timeline
from baton.domain.views import TaskView

#: A task's status: clients know these six, and no others.
STATUS: Final[dict[TaskState, str]] = {
    TaskState.PENDING: "pending",
    TaskState.RUNNING: "running",
    TaskState.WAITING: "waiting_for_user",
    TaskState.PAUSED: "paused",
    TaskState.SUCCEEDED: "completed",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "failed",
}

#: The status of a model call.
STEP_STATUS: Final[dict[StepState, str]] = {
    StepState.RUNNING: "running",
    StepState.RECORDED: "completed",
    StepState.INTERRUPTED: "completed",
    StepState.FAILED: "failed",
}

ORIGIN: Final = "chat_tasks"
_CANCELLED: Final = "cancelled"


def draft(request: AppendMessageRequest, options: SendOptions, *, only_if_waiting: bool) -> Draft:
    """A message with what the request's headers say of it. A task at work refuses it unless the headers say else."""
    return Draft(
        text=request.message.content,
        origin=ORIGIN,
        metadata=cast("JsonObject", request.metadata),
        mode=options.mode or SendMode.REJECT,
        idempotency_key=options.idempotency_key,
        question=options.question,
        if_versions=options.if_versions,
        only_if_waiting=only_if_waiting,
    )


def accepted(task_id: int, agent_id: int, receipt: Receipt) -> JsonObject:
    """The answer to a message: what the task's state was right after it."""
    return {
        "task_id": task_id,
        "agent_id": agent_id,
        "status": STATUS[receipt.state],
        "accepted_at": receipt.accepted_at.isoformat(),
    }


def created(task: TaskView) -> JsonObject:
    """The answer to who has made a task: it runs, whatever it has come to by now."""
    return {
        "task_id": task.number,
        "agent_id": task.agent.number,
        "status": STATUS[TaskState.RUNNING],
        "created_at": task.created_at.isoformat(),
    }


def task_info(task: TaskView, last_message: str | None) -> JsonObject:
    """A task as it is now. ``last_message``: what it was told last, None for nothing but its description."""
    info: JsonObject = {
        "task_id": task.number,
        "agent_id": task.agent.number,
        "status": STATUS[task.state],
        "input": task.description if last_message is None else last_message,
        "output": output_of(task),
        "error": error_of(task),
        "created_at": task.created_at.isoformat(),
        "completed_at": _time(task.completed_at),
    }
    if task.state is TaskState.WAITING:
        interactions: list[JsonValue] = [_question(question) for question in task.questions]
        interactions += [_approval(approval) for approval in task.approvals]
        info["pending_interaction"] = {"question": prompt_of(task), "interactions": interactions}
    return info


def prompt_of(task: TaskView) -> str:
    """What a task waits for, in words."""
    return "\n".join((*(question.text for question in task.questions), *map(question_text, task.approvals)))


def output_of(task: TaskView) -> str | None:
    """What came of a task that is completed."""
    return task.result if task.state is TaskState.SUCCEEDED else None


def error_of(task: TaskView) -> str | None:
    """Why a task has failed."""
    if task.state is TaskState.CANCELLED:
        return _CANCELLED
    return task.error or STATUS[task.state] if task.state is TaskState.FAILED else None


def steps(task: TaskView, timeline: Timeline) -> JsonObject:
    """What was said and done in a task, in order of its beginning; what it was told first comes first of all."""
    said: list[tuple[datetime, JsonObject]] = []
    if timeline.older is None:
        said.append((task.created_at, message("description", "user", task.description, at=task.created_at)))
    said += [(one.accepted_at, _said(one)) for one in timeline.messages]
    for taken in timeline.steps:
        said += _taken(taken)
    said += [(call.started_at, _made(call)) for call in timeline.calls]
    said.sort(key=lambda item: item[0])
    shown: list[JsonValue] = [step for _, step in said]
    return {"task_id": task.number, "agent_id": task.agent.number, "steps": shown}


def step_of(turn: int, step: int) -> str:
    """A model call's name within its task."""
    return f"{turn}.{step}"


def thinking(
    name: str, status: str, *, started_at: datetime, completed_at: datetime | None, **more: JsonValue
) -> JsonObject:
    """A model call as a step."""
    return _step(f"thinking:{name}", "thinking", status, started_at, completed_at, {"phase": "step", **more})


def tool_call(
    name: str, status: str, *, started_at: datetime, completed_at: datetime | None, data: JsonObject
) -> JsonObject:
    """A tool call as a step."""
    return _step(f"tool_call:{name}", "tool_call", status, started_at, completed_at, data)


def message(name: str, role: str, content: JsonValue, *, at: datetime, status: str = "completed") -> JsonObject:
    """Something that was said as a step."""
    return _step(message_id(name), "message", status, at, at, {"role": role, "content": content})


def message_id(name: str) -> str:
    """The id of something that was said: by a model call, a question's id, or a user's message's."""
    return f"message:{name}"


def outcome(content: JsonValue, *, failed: bool) -> JsonObject:
    """What a tool call gave."""
    return {"error": content if isinstance(content, str) else str(content)} if failed else {"result": content}


def _said(said: SaidMessage) -> JsonObject:
    status = "failed" if said.state is MessageState.DEAD else "completed"
    return message(str(said.id), "user", said.text, at=said.accepted_at, status=status)


def _taken(taken: TakenStep) -> Iterator[tuple[datetime, JsonObject]]:
    name = step_of(taken.turn, taken.step)
    more: JsonObject = {}
    if taken.state is StepState.INTERRUPTED:
        more["interrupted"] = True
    if taken.error is not None:
        more["error"] = taken.error
    if taken.reasoning:
        more["content"] = taken.reasoning
    status = STEP_STATUS[taken.state]
    yield (
        taken.started_at,
        thinking(name, status, started_at=taken.started_at, completed_at=taken.ended_at, **more),
    )
    at = taken.ended_at or taken.started_at
    if taken.text:
        yield at, message(name, "assistant", taken.text, at=at)
    for question in taken.asked:
        yield at, message(question.id, "assistant", question.text, at=at)


def _made(call: MadeCall) -> JsonObject:
    data: JsonObject = {"name": call.name, "args": call.arguments}
    if call.done:
        data |= outcome(call.content, failed=call.failed)
    return tool_call(
        f"{step_of(call.turn, call.step)}.{call.id}",
        ("failed" if call.failed else "completed") if call.done else "running",
        started_at=call.started_at,
        completed_at=call.ended_at,
        data=data,
    )


def _question(question: Question) -> JsonObject:
    return {
        "type": "select" if question.choices else "text",
        "id": question.id,
        "question": question.text,
        "choices": list(question.choices),
        "schema": question.schema,
    }


def _approval(approval: Approval) -> JsonObject:
    return {
        "type": "approval",
        "id": approval.id,
        "question": question_text(approval),
        "tool": approval.tool,
        "arguments": approval.arguments,
    }


def _step(
    step_id: str, kind: str, status: str, started_at: datetime, completed_at: datetime | None, data: JsonObject
) -> JsonObject:
    return {
        "id": step_id,
        "type": kind,
        "status": status,
        "started_at": started_at.isoformat(),
        "completed_at": _time(completed_at),
        "data": data,
    }


def _time(at: datetime | None) -> str | None:
    return at and at.isoformat()
