"""Tasks: made, read, listed and stopped."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, CanWrite, Service
from api.body import JsonBody
from api.dialects.maia import translate
from api.dialects.maia.access import PathTask
from api.dialects.maia.published import READ_ERRORS, TASK_PARAMETER, WRITE_ERRORS
from api.dialects.maia.schemas import PREFIX, CreateTaskRequest, Status
from api.dialects.maia.shapes import CreateTaskResponse, StopTaskResponse, TaskDetail, TaskList
from api.ids import WholeNumber
from api.openapi import body_of
from api.options import START_KEY_PARAMETER, StartKey
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag, execution_headers, started_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.errors import Conflict
from baton.domain.ids import TaskById
from baton.domain.views import TaskDetails
from baton.service import control, starts, tasks

router = APIRouter(prefix=PREFIX, tags=["AI Agent Tasks"], route_class=DirectRoute)

_LAST_PAGE = 2**31 - 1


@router.post(
    "",
    status_code=201,
    operation_id="createTask",
    openapi_extra=body_of(CreateTaskRequest, (START_KEY_PARAMETER,)),
    responses=WRITE_ERRORS | {201: {"model": CreateTaskResponse, "description": "The task was created and is running"}},
)
async def create_task(who: CanWrite, body: JsonBody, key: StartKey, baton: Service) -> Response:
    """Start a task. In PLAN mode its agent calls no tool that changes things until a message says ACT.

    `grantedPermissions` are the tools whose calls need no permission. Tools that no worker has are refused; before any
    worker has been seen, `warnings` names them.
    """
    request = validated(CreateTaskRequest, body)
    config = request.agentConfig
    started = await starts.start_task(
        baton,
        who,
        request.message,
        agent=translate.agent_of(config),
        metadata={translate.CONFIG: config.model_dump(exclude_unset=True)},
        granted_tools=translate.grants_of(request.grantedPermissions),
        plan_only=config.mode == translate.PLAN,
        key=key,
    )
    headers = started_headers(started)
    return JsonResponse(translate.warned(translate.created(request, started.task), started.warnings), 201, headers)


@router.get(
    "",
    operation_id="listTasks",
    dependencies=STRICT_QUERY,
    responses=READ_ERRORS | {200: {"model": TaskList, "description": "A page, newest first"}},
)
async def list_tasks(
    who: CanRead,
    baton: Service,
    status: Status | None = None,
    projectId: str | None = None,
    branchId: str | None = None,
    page: Annotated[WholeNumber, Query(ge=0, le=_LAST_PAGE)] = 0,
    size: Annotated[WholeNumber, Query(ge=1, le=100)] = 20,
) -> Response:
    """List tasks, newest first, whichever API created them; by the project and branch that they were created with."""
    found = await tasks.page_tasks(
        baton,
        who,
        limit=size,
        offset=page * size,
        stages=translate.stages_of(status),
        metadata=translate.created_with(projectId, branchId),
        parameter="size",
    )
    shown = [translate.task_in_list(one) for one in found.items]
    return JsonResponse({"tasks": shown, "page": page, "size": size, "total": found.total})


@router.get(
    "/{taskId}",
    operation_id="getTask",
    openapi_extra={"parameters": [TASK_PARAMETER]},
    responses=READ_ERRORS | {200: {"model": TaskDetail, "description": "The task's current state"}},
)
async def get_task(who: CanRead, task_id: PathTask, baton: Service) -> Response:
    """A task with its status, permissions and pending decisions."""
    found = await tasks.get_task_details(baton, who, TaskById(task_id))
    return JsonResponse(translate.task(found), headers=_headers(found))


@router.post(
    "/{taskId}/stop",
    status_code=202,
    operation_id="stopTask",
    openapi_extra={"parameters": [TASK_PARAMETER]},
    responses=WRITE_ERRORS | {202: {"model": StopTaskResponse, "description": "Stopping or stopped"}},
)
async def stop_task(who: CanWrite, task_id: PathTask, baton: Service) -> Response:
    """Stop a task until the next message, interrupting the current step. One that has stopped stays as it is."""
    try:
        found = await control.pause(baton, who, TaskById(task_id))
    except Conflict:
        found = await tasks.get_task_details(baton, who, TaskById(task_id))
        if not found.task.state.is_over:
            raise
    return JsonResponse({"taskId": str(task_id), "status": translate.status(found)}, 202, _headers(found))


def _headers(found: TaskDetails) -> dict[str, str]:
    return execution_headers(found.task.execution_id) | {"ETag": etag(found.task.version)}
