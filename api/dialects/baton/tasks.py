"""`/baton/v1/tasks`: the inbox, a task, and what a person asks of it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.access import CanRead, CanWrite, Service
from api.dialects.baton import translate
from api.dialects.baton.problems import PREFIX, PROBLEMS
from api.dialects.baton.stream import task_encoder
from api.frames import cursor_of
from api.ids import WholeNumber
from api.ids import execution_id as parse_execution_id
from api.ids import task_id as parse_id
from api.openapi import STREAM
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag, execution_headers
from api.routing import DirectRoute
from api.sse import open_stream
from baton.client.schemas.tasks import ChangedTask, ExplanationOut, TaskOut, Tasks
from baton.domain.agents import Principal
from baton.domain.ids import TaskAddress, TaskById
from baton.domain.states import TaskState
from baton.domain.views import TaskDetails, TaskView
from baton.service import control, explain, tasks
from baton.service.context import Baton
from baton.service.visibility import find_log, find_task

router = APIRouter(prefix=f"{PREFIX}/tasks", tags=["tasks"], responses=PROBLEMS, route_class=DirectRoute)


@router.get("", dependencies=STRICT_QUERY, responses={200: {"model": Tasks}})
async def list_tasks(
    who: CanRead,
    baton: Service,
    state: Annotated[list[TaskState] | None, Query()] = None,
    execution: str | None = None,
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """List tasks, newest first. `?state=waiting` is the inbox: tasks waiting for a person, longest first."""
    page = await tasks.list_tasks(
        baton,
        who,
        limit=limit,
        states=state,
        execution_id=None if execution is None else parse_execution_id(execution),
        cursor=cursor,
    )
    return JsonResponse(translate.page(page, translate.task))


@router.get("/{task_id}", responses={200: {"model": TaskOut}})
async def get_task(task_id: str, who: CanRead, baton: Service) -> Response:
    """A task, with its version as `ETag`."""
    return _shown(who, await tasks.get_task(baton, who, _named(task_id)))


@router.get("/{task_id}/explain", responses={200: {"model": ExplanationOut}})
async def explain_task(task_id: str, who: CanRead, baton: Service) -> Response:
    """Explain the task's state: open questions, the current turn, queued messages, unreachable workers or servers."""
    return JsonResponse(translate.explanation(await explain.explain_task(baton, who, _named(task_id))))


@router.post("/{task_id}/cancel", responses={200: {"model": TaskOut | ChangedTask}})
async def cancel_task(task_id: str, who: CanWrite, baton: Service) -> Response:
    """Cancel a task permanently."""
    return await _controlled(baton, who, task_id, control.cancel)


@router.post("/{task_id}/pause", responses={200: {"model": TaskOut | ChangedTask}})
async def pause_task(task_id: str, who: CanWrite, baton: Service) -> Response:
    """Pause a task until a resume or a message, interrupting the current step."""
    return await _controlled(baton, who, task_id, control.pause)


@router.post("/{task_id}/resume", responses={200: {"model": TaskOut | ChangedTask}})
async def resume_task(task_id: str, who: CanWrite, baton: Service) -> Response:
    """Resume a paused task."""
    return await _controlled(baton, who, task_id, control.resume)


@router.get("/{task_id}/events", response_class=Response, responses=STREAM)
async def stream_task(task_id: str, request: Request, who: CanRead, baton: Service) -> Response:
    """Stream the task's and the whole execution's events from the start, or after `Last-Event-ID` or `?after=`."""
    cursor = cursor_of(request, "after")
    task = await find_task(baton, who, _named(task_id))
    _, sees_all = await find_log(baton, task)
    encoder = task_encoder(task.id, with_executions=sees_all)
    return await open_stream(baton, who, task, cursor, encoder, snapshot=f"{PREFIX}/tasks/{task_id}")


async def _controlled(
    baton: Baton, who: Principal, task_id: str, do: Callable[[Baton, Principal, TaskAddress], Awaitable[TaskDetails]]
) -> Response:
    return _shown(who, (await do(baton, who, _named(task_id))).task)


def _shown(who: Principal, task: TaskView) -> Response:
    """A task; to who may not read it, how it stands."""
    headers = execution_headers(task.execution_id) | {"ETag": etag(task.version)}
    return JsonResponse(translate.told(who, "task", translate.task(task)), headers=headers)


def _named(task_id: str) -> TaskById:
    return TaskById(parse_id(task_id))
