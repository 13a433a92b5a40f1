"""Kubiya's endpoints for single tasks, which also take the task executions of a plan."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.access import CanRead, CanSend, CanWrite, Service
from api.body import JsonBody
from api.dialects.kubiya import translate
from api.dialects.kubiya.schemas import ExecuteAgent
from api.dialects.kubiya.stream import plan_as_execution_encoder, task_encoder
from api.frames import cursor_of
from api.ids import WholeNumber
from api.ids import execution_id as parse_id
from api.openapi import ANY_OBJECT, STREAM, body_of, with_body
from api.options import START_KEY_PARAMETER, Options, StartKey
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag, execution_headers, receipt_headers, started_headers
from api.routing import DirectRoute
from api.sse import open_stream
from api.validate import validated
from baton.domain.agents import Principal, parse_reference
from baton.domain.errors import Conflict, ExecutionNotFound
from baton.domain.ids import Addressee, ExecutionId, TaskAddress, TaskById
from baton.domain.json import JsonObject
from baton.domain.states import ExecutionState, TaskState
from baton.domain.views import ExecutionView, TaskDetails, TaskView
from baton.service import control, executions, messages, starts, tasks
from baton.service.context import Baton
from baton.service.visibility import SeenExecution, find_execution
from workflows.contracts import task_workflow_id

_EXECUTIONS: Final = "/api/v1/executions"

router = APIRouter(tags=["executions"], route_class=DirectRoute)


@router.post("/api/v1/agents/{agent_id}/execute", openapi_extra=body_of(ExecuteAgent, (START_KEY_PARAMETER,)))
async def execute_agent(agent_id: str, who: CanWrite, body: JsonBody, key: StartKey, baton: Service) -> Response:
    """Start a single task with an agent, given by uuid, integer or name."""
    request = validated(ExecuteAgent, body)
    started = await starts.start_task(
        baton,
        who,
        request.prompt,
        queue=request.worker_queue_id,
        agent=parse_reference(agent_id),
        metadata=request.user_metadata,
        key=key,
    )
    return JsonResponse(
        {
            "execution_id": str(started.execution_id),
            "workflow_id": task_workflow_id(str(started.tasks[0])),
            "status": translate.EXECUTION_STATUS[TaskState.RUNNING],
            "message": "The task is running.",
        },
        headers=started_headers(started),
    )


@router.get(_EXECUTIONS, dependencies=STRICT_QUERY)
async def list_executions(
    who: CanRead,
    baton: Service,
    limit: Annotated[WholeNumber, Query(ge=1, le=1000)] = 100,
    offset: Annotated[WholeNumber, Query(ge=0, le=2**31)] = 0,
    status: str | None = None,
    agent_id: str | None = None,
) -> Response:
    """List single tasks, newest first."""
    states = translate.states_of(status, translate.EXECUTION_STATUS)
    found = await tasks.page_single_tasks(
        baton,
        who,
        limit=limit,
        offset=offset,
        states=None if states is None else [ExecutionState(state) for state in states],
        agent=None if agent_id is None else parse_reference(agent_id),
    )
    return JsonResponse([_as_execution(task.execution_id, task) for task in found])


@router.get(_EXECUTIONS + "/{execution_id}")
async def get_execution(execution_id: str, who: CanRead, baton: Service) -> Response:
    """A single task, a plan's task, or a plan."""
    found = await executions.find_plan_or_task(baton, who, parse_id(execution_id))
    if isinstance(found, SeenExecution):
        plan = await executions.get_execution(baton, who, found.id)
        shown = {"id": execution_id} | translate.plan_execution(plan)
        return JsonResponse(shown, headers=execution_headers(found.id))
    task = await tasks.get_task(baton, who, TaskById(found.id))
    headers = execution_headers(task.execution_id) | {"ETag": etag(task.version)}
    return JsonResponse(_as_execution(execution_id, task), headers=headers)


@router.get(_EXECUTIONS + "/{execution_id}/stream", response_class=Response, responses=STREAM)
async def stream_execution(execution_id: str, request: Request, who: CanRead, baton: Service) -> Response:
    """Stream a task's events from the start or after `Last-Event-ID`."""
    cursor = cursor_of(request, "after", "last_event_id")
    found = await executions.find_plan_or_task(baton, who, parse_id(execution_id))
    task = None if isinstance(found, SeenExecution) else found
    return await open_stream(
        baton,
        who,
        found.id if task is None else task,
        cursor,
        plan_as_execution_encoder() if task is None else task_encoder(UUID(execution_id), task.id),
        snapshot=f"{_EXECUTIONS}/{execution_id}",
        task_id=task and task.id,
    )


@router.post(_EXECUTIONS + "/{execution_id}/message", status_code=202, openapi_extra=with_body(ANY_OBJECT))
async def send_execution_message(
    execution_id: str, who: CanSend, body: JsonBody, options: Options, baton: Service
) -> Response:
    """Send a message to a task in any state.

    In a plan it goes to the task that has waited longest, else to the only one that is open, else to the last that
    ended.
    """
    draft = translate.draft(translate.message_of(body), options)
    sent = await messages.send_message(baton, who, await _addressed(baton, who, parse_id(execution_id)), draft)
    return JsonResponse(
        {
            "success": True,
            "execution_id": execution_id,
            "message": "The message was accepted.",
            "message_id": str(sent.receipt.message_id),
        },
        202,
        receipt_headers(sent.receipt),
    )


@router.post(_EXECUTIONS + "/{execution_id}/cancel")
async def cancel_execution(execution_id: str, who: CanWrite, baton: Service) -> Response:
    """Cancel a task, or all tasks of a plan, permanently."""
    return await _control(baton, who, execution_id, "cancelled", control.cancel, control.cancel_execution)


@router.post(_EXECUTIONS + "/{execution_id}/pause")
async def pause_execution(execution_id: str, who: CanWrite, baton: Service) -> Response:
    """Pause a task, or all tasks of a plan, interrupting the current steps."""
    return await _control(baton, who, execution_id, "paused", control.pause, control.pause_execution)


@router.post(_EXECUTIONS + "/{execution_id}/resume")
async def resume_execution(execution_id: str, who: CanWrite, baton: Service) -> Response:
    """Resume a paused task, or all paused tasks of a plan."""
    return await _control(baton, who, execution_id, "running", control.resume, control.resume_execution)


async def _addressed(baton: Baton, who: Principal, some_id: UUID) -> TaskById | Addressee:
    """Whom a message to an id is for: it may be an execution's or a task's."""
    try:
        execution = await find_execution(baton, who, some_id)
        return Addressee(some_id) if execution.only_task is None else TaskById(execution.only_task.id)
    except ExecutionNotFound:
        return TaskById(some_id)


async def _control(
    baton: Baton,
    who: Principal,
    execution_id: str,
    to: str,
    one: Callable[[Baton, Principal, TaskAddress], Awaitable[TaskDetails]],
    every: Callable[[Baton, Principal, ExecutionId], Awaitable[ExecutionView]],
) -> Response:
    """Bring an execution ``to`` a status. That it cannot be brought there is told with status 200, too."""
    address = await _addressed(baton, who, parse_id(execution_id))
    answer: JsonObject = {"success": True, "execution_id": execution_id}
    try:
        if isinstance(address, TaskById):
            task = (await one(baton, who, address)).task
            state, execution = task.state.value, task.execution_id
        else:
            view = await every(baton, who, address.execution)
            state, execution = view.state.value, view.id
            if not any(view.counts.get(reached) for reached in translate.REACHED[to]):
                raise Conflict(f"the execution is {state}: no task of it can be {to}", state)
    except Conflict as refused:
        status = translate.EXECUTION_STATUS[refused.state]
        return JsonResponse(answer | {"success": False, "error": refused.message, "status": status})
    status = translate.EXECUTION_STATUS[state]
    answer |= {"status": status, "message": f"The execution is {status}."}
    return JsonResponse(answer, headers=execution_headers(execution))


def _as_execution(execution_id: str | UUID, task: TaskView) -> JsonObject:
    return {"id": str(execution_id)} | translate.task_execution(task)
