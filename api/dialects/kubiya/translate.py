"""Between Baton's words and Kubiya's. Pure; each table of states is here and nowhere else."""

from collections.abc import Sequence
from typing import Final, TypeVar
from uuid import UUID

from starlette.exceptions import HTTPException

from api.ids import parse_uuid
from api.options import SendOptions
from baton.domain.agents import Agent
from baton.domain.approvals import question_text
from baton.domain.conversation import Usage
from baton.domain.errors import InvalidInput
from baton.domain.ids import TaskById
from baton.domain.json import JsonObject, JsonValue
from baton.domain.messages import Draft
from baton.domain.states import ExecutionState, TaskState
from baton.domain.views import ExecutionView, TaskView
from baton.service.messages import Sent

#: A plan's status. A paused plan waits for a person, who resumes it with a message or a call.
PLAN_STATUS: Final[dict[ExecutionState, str]] = {
    ExecutionState.PENDING: "pending",
    ExecutionState.RUNNING: "running",
    ExecutionState.WAITING: "pending_user_input",
    ExecutionState.PAUSED: "pending_user_input",
    ExecutionState.SUCCEEDED: "completed",
    ExecutionState.FAILED: "failed",
    ExecutionState.CANCELLED: "cancelled",
}

#: The status of a plan's task.
TASK_STATUS: Final[dict[TaskState, str]] = {
    TaskState.PENDING: "pending",
    TaskState.RUNNING: "running",
    TaskState.WAITING: "waiting_for_input",
    TaskState.PAUSED: "waiting_for_input",
    TaskState.SUCCEEDED: "success",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "failed",
}

#: The status of a single task, and of a plan's task where it is addressed as an execution of its own.
EXECUTION_STATUS: Final[dict[str, str]] = {
    "pending": "pending",
    "running": "running",
    "waiting": "waiting_for_input",
    "paused": "paused",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}

#: What a task of a plan is in right after a caller has brought the plan to a status.
REACHED: Final[dict[str, tuple[TaskState, ...]]] = {
    "running": (TaskState.RUNNING, TaskState.WAITING),
    "paused": (TaskState.PAUSED,),
    "cancelled": (TaskState.CANCELLED,),
}

#: What a paused task is shown to wait for.
PAUSED_QUESTION: Final = "The task is paused. A message resumes it."
#: What is shown of a question that a large plan is read without.
_CUT_QUESTION: Final = "The plan is too large to show this question: GET /api/v1/executions/{} has it."

ORIGIN: Final = "kubiya"
_MOST_RESPONSES: Final = 100
_FAILED: Final = (TaskState.FAILED, TaskState.CANCELLED)
T = TypeVar("T")


def states_of(status: str | None, table: dict[T, str], where: str = "status") -> list[T] | None:
    """The states that a status stands for; None for no status. Raises `InvalidInput` for an unknown one."""
    if status is None:
        return None
    found = [state for state, known in table.items() if known == status.lower()]
    if not found:
        known = ", ".join(dict.fromkeys(table.values()))
        raise InvalidInput(f"{where} must be one of {known}", ("query", where), "enum")
    return found


def draft(message: str, options: SendOptions, key: str | None = None) -> Draft:
    """A message with what the request's headers say of it. ``key`` replaces the headers' idempotency key."""
    return Draft(
        text=message,
        origin=ORIGIN,
        mode=options.mode,
        idempotency_key=key or options.idempotency_key,
        question=options.question,
        if_versions=options.if_versions,
    )


def message_of(body: JsonObject, where: tuple[str | int, ...] = ("body",)) -> str:
    """A body's message. Raises a 400 for none or an empty one, `InvalidInput` for what is no text."""
    message = body.get("message")
    if message is None or (isinstance(message, str) and not message.strip()):
        raise HTTPException(400, "'message' is required and must not be empty")
    if not isinstance(message, str):
        raise InvalidInput("message must be text", (*where, "message"), "string_type")
    return message


def responses_of(body: JsonObject, options: SendOptions) -> list[tuple[TaskById, Draft]]:
    """The messages of a `continue`. Raises a 400 for none, `InvalidInput` for what is malformed.

    The idempotency key counts per response: each of several to one task gets a key of its own.
    """
    responses = body.get("responses")
    if responses is None or responses == []:
        raise HTTPException(400, "'responses' is required and must not be empty")
    if not isinstance(responses, list):
        raise InvalidInput("responses must be a list", ("body", "responses"), "list_type")
    if len(responses) > _MOST_RESPONSES:
        raise InvalidInput(f"responses must hold at most {_MOST_RESPONSES} items", ("body", "responses"), "too_long")
    drafts: list[tuple[TaskById, Draft]] = []
    times: dict[UUID, int] = {}
    for number, response in enumerate(responses):
        where = ("body", "responses", number)
        if not isinstance(response, dict):
            raise InvalidInput("a response must be an object", where, "dict_type")
        task_id = _task_of(response.get("execution_id"), where)
        times[task_id] = times.get(task_id, 0) + 1
        key = options.idempotency_key
        if key is not None and times[task_id] > 1:
            key = f"{key}#{times[task_id]}"
        drafts.append((TaskById(task_id), draft(message_of(response, where), options, key)))
    return drafts


def _task_of(given: JsonValue, where: tuple[str | int, ...]) -> UUID:
    if not isinstance(given, str):
        raise InvalidInput("execution_id must be text", (*where, "execution_id"), "string_type")
    found = parse_uuid(given)
    if found is None:
        raise HTTPException(404, "there is no such task execution")
    return found


def agent(known: Agent) -> JsonObject:
    """An agent as the list shows it."""
    return {
        "id": str(known.id),
        "name": known.name,
        "description": None,
        "status": "idle",
        "model_id": known.model,
        "created_at": known.created_at and known.created_at.isoformat(),
        "updated_at": known.updated_at and known.updated_at.isoformat(),
    }


def sent(execution_id: str, task_id: int, message: Sent) -> JsonObject:
    """The answer to a message to a plan's task."""
    return {
        "success": True,
        "execution_id": execution_id,
        "task_id": task_id,
        "message_sent": True,
        "workflow_signaled": message.signaled,
        "message_id": str(message.receipt.message_id),
    }


def waiting_tasks(tasks: Sequence[TaskView]) -> list[JsonValue]:
    """What a plan waits for. ``execution_id`` is the task's own, which also works as an execution."""
    return [
        {
            "task_id": task.position,
            "execution_id": str(task.id),
            "question": question_of(task),
            "waiting_since": (task.waiting_since or task.updated_at).isoformat(),
        }
        for task in tasks
        if task.state in (TaskState.WAITING, TaskState.PAUSED)
    ]


def question_of(task: TaskView) -> str:
    """What a task waits for, in words."""
    if task.state is TaskState.PAUSED:
        return PAUSED_QUESTION
    if task.cut:
        return _CUT_QUESTION.format(task.id)
    return "\n".join((*(question.text for question in task.questions), *map(question_text, task.approvals)))


def plan_status(execution: ExecutionView) -> JsonObject:
    """A plan as its status call shows it."""
    tasks = execution.tasks or ()
    total, completed, failed = _counts(execution)
    return {
        "execution_id": str(execution.id),
        "plan_generation_id": execution.plan_generation_id,
        "status": PLAN_STATUS[execution.state],
        "plan_title": execution.title,
        "total_tasks": total,
        "completed_tasks": completed,
        "failed_tasks": failed,
        "progress_percentage": round(100 * completed / total, 2) if total else 0.0,
        "started_at": execution.started_at and execution.started_at.isoformat(),
        "completed_at": execution.completed_at and execution.completed_at.isoformat(),
        "waiting_tasks": waiting_tasks(tasks),
        "plan_json": execution.plan,
        "tasks": [
            {
                "task_id": task.position,
                "execution_id": str(task.id),
                "title": task.title,
                "status": TASK_STATUS[task.state],
                "dependencies": list(task.depends_on),
                "output": task.result,
                "error": task.error,
                **({"truncated": True} if task.cut else {}),
            }
            for task in tasks
        ],
    }


def plan_in_list(execution: ExecutionView) -> JsonObject:
    """A plan as the list shows it."""
    total, completed, failed = _counts(execution)
    return {
        "execution_id": str(execution.id),
        "agent_id": str(execution.agent.id),
        "plan_generation_id": execution.plan_generation_id,
        "title": execution.title,
        "summary": execution.summary,
        "status": PLAN_STATUS[execution.state],
        "total_tasks": total,
        "completed_tasks": completed,
        "failed_tasks": failed,
        "created_at": execution.created_at.isoformat(),
        "started_at": execution.started_at and execution.started_at.isoformat(),
        "completed_at": execution.completed_at and execution.completed_at.isoformat(),
    }


def task_execution(task: TaskView) -> JsonObject:
    """A task as an execution of its own. A single task's id is its execution's."""
    return {
        "execution_type": "agent",
        "entity_id": str(task.agent.id),
        "entity_name": task.agent.name,
        "status": EXECUTION_STATUS[task.state],
        "prompt": task.description,
        "response": task.result,
        "error_message": task.error_message or task.error,
        "usage": _usage(task.usage),
        "created_at": task.created_at.isoformat(),
        "started_at": task.started_at and task.started_at.isoformat(),
        "completed_at": task.completed_at and task.completed_at.isoformat(),
        "updated_at": task.updated_at.isoformat(),
        "questions": [{"id": q.id, "text": q.text, "choices": list(q.choices)} for q in task.questions],
    }


def plan_execution(execution: ExecutionView) -> JsonObject:
    """A plan as an execution."""
    return {
        "execution_type": "plan",
        "entity_id": str(execution.agent.id),
        "entity_name": execution.agent.name,
        "status": EXECUTION_STATUS[execution.state],
        "prompt": execution.title,
        "response": None,
        "error_message": None,
        "usage": _usage(execution.usage),
        "created_at": execution.created_at.isoformat(),
        "started_at": execution.started_at and execution.started_at.isoformat(),
        "completed_at": execution.completed_at and execution.completed_at.isoformat(),
        "updated_at": execution.updated_at.isoformat(),
    }


def _usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _counts(execution: ExecutionView) -> tuple[int, int, int]:
    """All tasks, those that succeeded, those that failed."""
    counts = execution.counts
    return sum(counts.values()), counts.get(TaskState.SUCCEEDED, 0), sum(counts.get(state, 0) for state in _FAILED)
