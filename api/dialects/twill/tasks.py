"""Tasks: made, listed, read, cancelled, and put out of the way."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.access import CanRead, CanWrite, Service
from api.body import JsonBody
from api.dialects.twill import translate
from api.dialects.twill.access import TASK_PARAMETERS, Paging, Task, paging, paging_parameters
from api.dialects.twill.schemas import (
    API,
    CHANGE_ERRORS,
    READ_ERRORS,
    WRITE_ERRORS,
    CreateTaskRequest,
    CreateTaskResponse,
    GetTaskResponse,
    ListTaskJobsResponse,
    ListTasksResponse,
    TaskDoneResponse,
)
from api.openapi import body_of
from api.options import START_KEY_PARAMETER, StartKey
from api.origin import origin_of
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag, execution_headers, started_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.agents import Principal, parse_reference
from baton.domain.errands import ErrandState
from baton.domain.errors import InvalidInput
from baton.domain.ids import TaskAddress
from baton.service import control, messages, starts, tasks
from baton.service.context import Baton

_TASKS: Final = 20
_JOBS: Final = 30

router = APIRouter(prefix=f"{API}/tasks", tags=["Tasks"], route_class=DirectRoute)


@router.post(
    "",
    status_code=201,
    operation_id="createTask",
    openapi_extra=body_of(CreateTaskRequest, (START_KEY_PARAMETER,)),
    responses=WRITE_ERRORS | {201: {"model": CreateTaskResponse}},
)
async def create_task(request: Request, who: CanWrite, body: JsonBody, key: StartKey, baton: Service) -> Response:
    """Start a task with a command, its first job.

    A name of the vendor's that no agent here has stands for the default one.
    """
    wanted = validated(CreateTaskRequest, body)
    if not wanted.command.strip():
        raise InvalidInput("a task needs a command", ("body", "command"))
    started = await starts.start_task(
        baton,
        who,
        wanted.command,
        title=wanted.title,
        agent=None if wanted.agent is None else parse_reference(wanted.agent),
        or_default=wanted.agent is not None and translate.is_vendors_agent(wanted.agent),
        metadata=translate.metadata(wanted.user_intent),
        plan_only=translate.looks_only(wanted.user_intent),
        attachments=translate.attachments(wanted.files),
        key=key,
    )
    task = started.task
    return JsonResponse(
        {
            "task": translate.task_summary(task.id, task.number, task.title, origin_of(request)),
            "job": translate.job_ref(task.id, ErrandState.PENDING),
        },
        201,
        started_headers(started),
    )


@router.get(
    "",
    operation_id="listTasks",
    dependencies=STRICT_QUERY,
    openapi_extra={"parameters": paging_parameters(_TASKS)},
    responses=READ_ERRORS | {200: {"model": ListTasksResponse}},
)
async def list_tasks(
    request: Request, who: CanRead, page: Annotated[Paging, Depends(paging(_TASKS))], baton: Service
) -> Response:
    """List tasks that are not archived, newest first."""
    found = await tasks.list_tasks_with_errands(baton, who, limit=page.limit, cursor=page.cursor)
    origin = origin_of(request)
    shown = [translate.task_in_list(task, origin) for task in found.items]
    return JsonResponse({"tasks": shown, "nextCursor": found.next_cursor})


@router.get(
    "/{taskIdOrSlug}",
    operation_id="getTask",
    openapi_extra={"parameters": TASK_PARAMETERS},
    responses=READ_ERRORS | {200: {"model": GetTaskResponse}},
)
async def get_task(request: Request, who: CanRead, task: Task, baton: Service) -> Response:
    """A task with its latest job."""
    seen = await tasks.get_task(baton, who, task)
    last = await messages.get_last_errand(baton, who, task)
    intent = await _intent(baton, who, task, last.seq)
    return JsonResponse(
        {"task": translate.task_detail(seen, origin_of(request)), "latestJob": translate.latest_job(last, intent)},
        headers=execution_headers(seen.execution_id) | {"ETag": etag(seen.version)},
    )


@router.get(
    "/{taskIdOrSlug}/jobs",
    operation_id="listTaskJobs",
    dependencies=STRICT_QUERY,
    openapi_extra={"parameters": [*TASK_PARAMETERS, *paging_parameters(_JOBS)]},
    responses=READ_ERRORS | {200: {"model": ListTaskJobsResponse}},
)
async def list_task_jobs(
    who: CanRead, task: Task, page: Annotated[Paging, Depends(paging(_JOBS))], baton: Service
) -> Response:
    """A task's jobs: latest page first, each page in chronological order."""
    found = await messages.list_errands(baton, who, task, limit=page.limit, cursor=page.cursor)
    intent = await _intent(baton, who, task, found.items[0].seq) if found.items else ""
    return JsonResponse({"jobs": translate.jobs(found.items, intent), "nextCursor": found.next_cursor})


@router.post(
    "/{taskIdOrSlug}/cancel",
    operation_id="cancelTask",
    openapi_extra={"parameters": TASK_PARAMETERS},
    responses=CHANGE_ERRORS | {200: {"model": TaskDoneResponse}},
)
async def cancel_task(who: CanWrite, task: Task, baton: Service) -> Response:
    """Cancel the job in flight and pause the task. A message starts the next job. Safe to repeat."""
    stopped = (await control.pause(baton, who, task)).task
    return _done(stopped.id, stopped.execution_id)


@router.post(
    "/{taskIdOrSlug}/archive",
    operation_id="archiveTask",
    openapi_extra={"parameters": TASK_PARAMETERS},
    responses=CHANGE_ERRORS | {200: {"model": TaskDoneResponse}},
)
async def archive_task(who: CanWrite, task: Task, baton: Service) -> Response:
    """Archive a task: remove it from the list. It keeps running and can still be read by id or slug."""
    archived = await tasks.archive_task(baton, who, task)
    return _done(archived.task_id, archived.execution_id)


def _done(task_id: UUID, execution_id: UUID) -> Response:
    return JsonResponse({"success": True, "task": {"id": str(task_id)}}, headers=execution_headers(execution_id))


async def _intent(baton: Baton, who: Principal, task: TaskAddress, seq: int) -> str:
    """What a job is for: as it says itself, or as was said last before it."""
    return await messages.last_said(baton, who, task, seq, translate.INTENT) or translate.DEFAULT_INTENT
