"""Jobs: followed and cancelled."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.access import CanRead, CanWrite, Service
from api.dialects.twill import translate
from api.dialects.twill.access import JOB_PARAMETERS, Job
from api.dialects.twill.schemas import API, CHANGE_ERRORS, READ_ERRORS, JobDoneResponse
from api.dialects.twill.stream import job_encoder, start_of
from api.frames import Cursor, cursor_of
from api.openapi import STREAM
from api.responses import JsonResponse, etag, execution_headers
from api.routing import DirectRoute
from api.sse import open_stream
from baton.domain.ids import TaskById
from baton.service import control, messages
from baton.service.visibility import find_task

router = APIRouter(prefix=f"{API}/jobs", tags=["Jobs"], route_class=DirectRoute)


@router.get(
    "/{jobId}/logs/stream",
    operation_id="streamJobLogs",
    response_class=Response,
    openapi_extra={"parameters": JOB_PARAMETERS},
    responses=READ_ERRORS | STREAM,
)
async def stream_job_logs(request: Request, who: CanRead, job: Job, baton: Service) -> Response:
    """Stream a job's log from its start or after `Last-Event-ID`, until it ends: `data:` lines with JSON."""
    cursor = cursor_of(request, "after")
    errand = await messages.get_errand(baton, who, job)
    start = start_of(errand)
    return await open_stream(
        baton,
        who,
        await find_task(baton, who, TaskById(errand.task_id)),
        cursor if cursor.seq > start else Cursor(start),
        job_encoder(baton, who, errand),
        snapshot=f"{API}/tasks/{errand.task_id}/jobs",
        task_id=errand.task_id,
        ends=(),
    )


@router.post(
    "/{jobId}/cancel",
    operation_id="cancelJob",
    openapi_extra={"parameters": JOB_PARAMETERS},
    responses=CHANGE_ERRORS | {200: {"model": JobDoneResponse}},
)
async def cancel_job(who: CanWrite, job: Job, baton: Service) -> Response:
    """Cancel a pending or running job. Its task is paused until the next message."""
    errand = await control.stop_errand(baton, who, job)
    return JsonResponse(
        {"success": True, "job": translate.job_ref(errand.id, errand.state)},
        headers=execution_headers(errand.execution_id) | {"ETag": etag(errand.task_version)},
    )
