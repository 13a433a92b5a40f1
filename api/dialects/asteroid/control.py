"""Pausing, resuming and cancelling executions: each by a call of its own, and by an older one that names the status."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from api.access import CanWrite, Service
from api.body import JsonBody
from api.dialects.asteroid import translate
from api.dialects.asteroid.paths import EXECUTION_ID, ExecutionInPath
from api.dialects.asteroid.schemas import (
    BODY_ERRORS,
    CONTROL_ERRORS,
    PREFIX,
    StatusChange,
    UpdateableStatus,
    UpdateStatusRequest,
    plain,
)
from api.openapi import body_of
from api.responses import JsonResponse, execution_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.agents import Principal
from baton.domain.errors import Conflict
from baton.domain.ids import ExecutionId, TaskAddress, TaskById
from baton.domain.views import ExecutionView, TaskDetails
from baton.service import control
from baton.service.context import Baton
from baton.service.visibility import find_execution

UPDATED: Final = "Execution status updated."
_One = Callable[[Baton, Principal, TaskAddress], Awaitable[TaskDetails]]
_All = Callable[[Baton, Principal, ExecutionId], Awaitable[ExecutionView]]
_TO: Final[dict[UpdateableStatus, tuple[_One, _All]]] = {
    "cancelled": (control.cancel, control.cancel_execution),
    "paused": (control.pause, control.pause_execution),
    "running": (control.resume, control.resume_execution),
}

router = APIRouter(
    prefix=f"{PREFIX}/executions/{{executionId}}", tags=["Execution"], responses=CONTROL_ERRORS, route_class=DirectRoute
)


@router.post(
    "/cancel",
    operation_id="ExecutionCancel",
    summary="Cancel execution",
    responses={200: {"model": StatusChange}},
    openapi_extra={"parameters": [EXECUTION_ID]},
)
async def cancel_execution(who: CanWrite, execution_id: ExecutionInPath, baton: Service) -> Response:
    """Cancel an execution permanently."""
    return await _changed(baton, who, execution_id, "cancelled")


@router.post(
    "/pause",
    operation_id="ExecutionPause",
    summary="Pause execution",
    responses={200: {"model": StatusChange}},
    openapi_extra={"parameters": [EXECUTION_ID]},
)
async def pause_execution(who: CanWrite, execution_id: ExecutionInPath, baton: Service) -> Response:
    """Pause an execution, interrupting the current step. A resume or a message continues it."""
    return await _changed(baton, who, execution_id, "paused")


@router.post(
    "/resume",
    operation_id="ExecutionResume",
    summary="Resume execution",
    responses={200: {"model": StatusChange}},
    openapi_extra={"parameters": [EXECUTION_ID]},
)
async def resume_execution(who: CanWrite, execution_id: ExecutionInPath, baton: Service) -> Response:
    """Resume a paused execution. An open question stays open."""
    return await _changed(baton, who, execution_id, "running")


@router.post(
    "/status",
    operation_id="ExecutionStatusUpdate",
    summary="Update execution status",
    response_class=PlainTextResponse,
    responses=BODY_ERRORS | {200: plain(UPDATED)},
    openapi_extra=body_of(UpdateStatusRequest, [EXECUTION_ID]),
)
async def update_execution_status(
    who: CanWrite, execution_id: ExecutionInPath, body: JsonBody, baton: Service
) -> Response:
    """Set an execution's status: cancel, pause or resume it (older clients)."""
    await _bring(baton, who, execution_id, validated(UpdateStatusRequest, body).status)
    return PlainTextResponse(UPDATED, headers=execution_headers(execution_id))


async def _changed(baton: Baton, who: Principal, execution_id: UUID, status: UpdateableStatus) -> Response:
    await _bring(baton, who, execution_id, status)
    return JsonResponse({"executionId": str(execution_id), "status": status}, headers=execution_headers(execution_id))


async def _bring(baton: Baton, who: Principal, execution_id: UUID, status: UpdateableStatus) -> None:
    """Bring an execution to a status. Raises `ExecutionNotFound`, `AgentNotFound`, and `Conflict` where none of its
    tasks can be brought there."""
    one, every = _TO[status]
    execution = await find_execution(baton, who, execution_id)
    if execution.only_task is not None:
        await one(baton, who, TaskById(execution.only_task.id))
        return
    now = await every(baton, who, execution_id)
    if not any(now.counts.get(state) for state in translate.REACHED[status]):
        raise Conflict(f"the execution is {now.state}: no task of it can be {status}", now.state)
