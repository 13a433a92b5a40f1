"""Between Baton's words and Asteroid's. Pure; the table of statuses is here and nowhere else."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

import orjson

from api.dialects.asteroid.schemas import UpdateableStatus
from api.options import SendOptions
from baton.domain.agents import Agent
from baton.domain.json import JsonObject, JsonValue
from baton.domain.messages import Draft
from baton.domain.states import ExecutionState, TaskState
from baton.domain.views import ExecutionView, TaskView

#: An execution's status. One that waits for consent alone, and for no answer, is `CONSENT`.
STATUS: Final[dict[ExecutionState, str]] = {
    ExecutionState.PENDING: "starting",
    ExecutionState.RUNNING: "running",
    ExecutionState.WAITING: "paused_by_agent",
    ExecutionState.PAUSED: "paused",
    ExecutionState.SUCCEEDED: "completed",
    ExecutionState.FAILED: "failed",
    ExecutionState.CANCELLED: "cancelled",
}
CONSENT: Final = "awaiting_confirmation"
#: What a task is in right after a caller has brought an execution to a status.
REACHED: Final[dict[UpdateableStatus, Collection[TaskState]]] = {
    "running": (TaskState.RUNNING, TaskState.WAITING),
    "paused": (TaskState.PAUSED,),
    "cancelled": (TaskState.CANCELLED,),
}

ORIGIN: Final = "asteroid"
SUCCESS: Final = "success"
FAILURE: Final = "failure"
FINISHED: Final = "The agent has finished."
#: The description of a task that was started without inputs.
NO_INPUTS: Final = "There are no inputs: do what your instructions say."


def status_of(state: ExecutionState, *, asks: bool) -> str:
    """An execution's status. ``asks``: whether it waits for an answer, where it waits."""
    return CONSENT if state is ExecutionState.WAITING and not asks else STATUS[state]


def states_of(statuses: Sequence[str]) -> tuple[list[ExecutionState] | None, bool | None]:
    """What a list is narrowed to: the states, and of those that wait the ones that ask (None: all).

    No statuses narrow nothing.
    """
    if not statuses:
        return None, None
    wanted = [state for state, status in STATUS.items() if status in statuses]
    if CONSENT not in statuses:
        return wanted, True
    if ExecutionState.WAITING in wanted:
        return wanted, None
    return [*wanted, ExecutionState.WAITING], False


def draft(message: str, options: SendOptions) -> Draft:
    """A message with what the request's headers say of it."""
    return Draft(
        text=message,
        origin=ORIGIN,
        mode=options.mode,
        idempotency_key=options.idempotency_key,
        question=options.question,
        if_versions=options.if_versions,
    )


def description_of(inputs: Mapping[str, JsonValue]) -> str:
    """A task's description from its inputs: text as it is, in lines of its own; all else as JSON.

    One input that is text says it all; of several each is named.
    """
    if len(inputs) == 1 and isinstance(text := next(iter(inputs.values())), str):
        description = text
    else:
        description = "\n".join(_line(name, value) for name, value in inputs.items())
    return description if description.strip() else NO_INPUTS


def _line(name: str, value: JsonValue) -> str:
    return f"{name}:\n{value}" if isinstance(value, str) else f"{name}: {orjson.dumps(value).decode()}"


def execution(view: ExecutionView, organization: UUID) -> JsonObject:
    """An execution as it is now; with what came of it where its tasks were read."""
    agent = str(view.agent.id)
    shown: JsonObject = {
        "id": str(view.id),
        "agentId": agent,
        "workflowId": agent,
        "workflowVersionId": agent,
        "status": status_of(view.state, asks=view.asks),
        "createdAt": view.created_at.isoformat(),
        "organizationId": str(organization),
        "agentName": view.agent.name,
        "workflowName": view.agent.name,
        "humanLabels": [],
        "comments": [],
        "metadata": view.metadata,
        "hasBeenRerun": False,
    }
    if view.started_at is not None:
        shown["startedAt"] = view.started_at.isoformat()
    if view.state.is_over:
        shown["terminalAt"] = (view.completed_at or view.updated_at).isoformat()
        if view.tasks is not None and view.state is not ExecutionState.CANCELLED:
            shown["executionResult"] = _result(view, view.tasks)
    return shown


def agent(known: Agent) -> JsonObject:
    """An agent as lists have it. Nobody is known to have made it: its user is the tenant."""
    return {
        "id": str(known.id),
        "name": known.name,
        "createdAt": known.created_at and known.created_at.isoformat(),
        "organizationId": str(known.tenant_id),
        "userId": str(known.tenant_id),
    }


def page(items: Sequence[JsonObject], number: int, size: int, total: int | None) -> JsonObject:
    """A page of a list."""
    return {"items": [*items], "page": number, "pageSize": size, "total": total}


def polled_status(view: ExecutionView) -> JsonObject:
    """An execution's status, with the reason where it has failed."""
    shown: JsonObject = {
        "execution_id": str(view.id),
        "status": status_of(view.state, asks=view.asks),
        "updated_at": view.updated_at.isoformat(),
    }
    if view.state is ExecutionState.FAILED:
        shown["reason"] = _errors(view.tasks or ())
    return shown


def polled_result(view: ExecutionView) -> JsonObject:
    """What came of an execution that is over: a result, or why there is none."""
    if view.state is ExecutionState.FAILED:
        return {"error": _errors(view.tasks or ()) or FAILURE}
    if view.state is ExecutionState.SUCCEEDED:
        return {"execution_result": _result(view, view.tasks or ())}
    return {}


def _errors(tasks: Sequence[TaskView]) -> str:
    return ", ".join(task.error for task in tasks if task.error)


def _result(view: ExecutionView, tasks: Sequence[TaskView]) -> JsonObject:
    succeeded = view.state is ExecutionState.SUCCEEDED
    errors = _errors(tasks)
    return {
        "id": str(view.id),
        "executionId": str(view.id),
        "outcome": SUCCESS if succeeded else FAILURE,
        "reasoning": FINISHED if succeeded else errors,
        "result": [_task_result(task) for task in tasks] if view.in_plan else _output(tasks[0]) if tasks else None,
        "createdAt": (view.completed_at or view.updated_at).isoformat(),
    }


def _task_result(task: TaskView) -> JsonObject:
    shown: JsonObject = {"task": task.position, "title": task.title, "result": _output(task), "error": task.error}
    return shown | {"truncated": True, "taskId": str(task.id)} if task.cut else shown


def _output(task: TaskView) -> JsonValue:
    """What a task said at its end, or came to as JSON; nothing at all where it failed before it said anything."""
    return task.result or None if task.error else task.output
