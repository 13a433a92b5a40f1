"""Tasks: made, read, and followed."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.access import CanRead, CanWrite, Service
from api.body import JsonBody
from api.dialects.chat_tasks import translate
from api.dialects.chat_tasks.access import address
from api.dialects.chat_tasks.schemas import (
    PREFIX,
    READ_ERRORS,
    WRITE_ERRORS,
    CreateTaskRequest,
    CreateTaskResponse,
    StepsResponse,
    TaskInfoResponse,
)
from api.dialects.chat_tasks.stream import ENDS, task_encoder
from api.frames import cursor_of
from api.ids import WholeNumber
from api.openapi import STREAM, body_of
from api.options import START_KEY_PARAMETER, StartKey
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag, execution_headers, started_headers
from api.routing import DirectRoute
from api.sse import open_stream
from api.validate import validated
from baton.domain.errors import InvalidInput
from baton.domain.views import TaskView
from baton.service import log, messages, starts, tasks
from baton.service.visibility import find_task

router = APIRouter(prefix=PREFIX, tags=["Chat tasks"], route_class=DirectRoute)


@router.post(
    "",
    status_code=202,
    openapi_extra=body_of(CreateTaskRequest, (START_KEY_PARAMETER,)),
    responses=WRITE_ERRORS | {202: {"model": CreateTaskResponse}},
)
async def create_task(who: CanWrite, body: JsonBody, key: StartKey, baton: Service) -> Response:
    """Start a task with the user's first message."""
    request = validated(CreateTaskRequest, body)
    if not request.message.content.strip():
        raise InvalidInput("a message needs text", ("body", "message", "content"))
    started = await starts.start_task(
        baton, who, request.message.content, agent=request.agent_id, metadata=request.metadata, key=key
    )
    headers = started_headers(started)
    return JsonResponse(translate.created(started.task), 202, headers)


@router.get("/{task_id}", responses=READ_ERRORS | {200: {"model": TaskInfoResponse}})
async def get_task(task_id: Annotated[WholeNumber, Path()], who: CanRead, baton: Service) -> Response:
    """A task with its status, last input and result."""
    task = await tasks.get_task(baton, who, address(task_id))
    last_message = await messages.get_last_message(baton, who, address(task_id))
    return JsonResponse(translate.task_info(task, last_message), headers=_headers(task))


@router.get("/{task_id}/steps", dependencies=STRICT_QUERY, responses=READ_ERRORS | {200: {"model": StepsResponse}})
async def list_task_steps(
    task_id: Annotated[WholeNumber, Path()], who: CanRead, baton: Service, cursor: str | None = None
) -> Response:
    """A task's steps, in the order in which they started: the newest, if they are too many or too large for one answer.

    The header `Link` with `rel="prev"` names the page before them, if there is one.
    """
    task = await tasks.get_task(baton, who, address(task_id))
    timeline, older = await log.get_timeline(baton, who, address(task_id), cursor)
    headers = _headers(task)
    if older is not None:
        headers["Link"] = f'<{PREFIX}/{task_id}/steps?cursor={older}>; rel="prev"'
    return JsonResponse(translate.steps(task, timeline), headers=headers)


@router.get(
    "/{task_id}/events",
    response_class=Response,
    responses=READ_ERRORS | STREAM,
)
async def stream_task_events(
    task_id: Annotated[WholeNumber, Path()], request: Request, who: CanRead, baton: Service
) -> Response:
    """Stream a task's events from the start or after `Last-Event-ID`, until it ends or needs the user.

    The last frame says which. Reconnect after an answer to read on.
    """
    cursor = cursor_of(request, "after")
    task = await find_task(baton, who, address(task_id))
    return await open_stream(
        baton,
        who,
        task,
        cursor,
        task_encoder(baton, who, task_id, task.id),
        snapshot=f"{PREFIX}/{task_id}/steps",
        task_id=task.id,
        ends=ENDS,
    )


def _headers(task: TaskView) -> dict[str, str]:
    return execution_headers(task.execution_id) | {"ETag": etag(task.version)}
