"""`/baton/v1/executions`."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.access import CanRead, CanWrite, Service
from api.body import JsonBody
from api.dialects.baton import translate
from api.dialects.baton.problems import PREFIX, PROBLEMS
from api.dialects.baton.stream import execution_encoder
from api.frames import cursor_of
from api.ids import WholeNumber
from api.ids import execution_id as parse_id
from api.openapi import STREAM, body_of
from api.options import START_KEY_PARAMETER, StartKey
from api.plans import read_plan
from api.query import STRICT_QUERY
from api.responses import JsonResponse, execution_headers, started_headers
from api.routing import DirectRoute
from api.sse import open_stream
from api.validate import validated
from baton.client.schemas.executions import ChangedExecution, ExecutionOut, Executions, StartedExecution, StartExecution
from baton.domain.agents import Principal
from baton.domain.errors import InvalidInput
from baton.domain.ids import ExecutionId
from baton.domain.states import ExecutionState
from baton.domain.views import ExecutionView
from baton.service import control, executions, starts
from baton.service.context import Baton

router = APIRouter(prefix=f"{PREFIX}/executions", tags=["executions"], responses=PROBLEMS, route_class=DirectRoute)


@router.post(
    "",
    status_code=201,
    openapi_extra=body_of(StartExecution, (START_KEY_PARAMETER,)),
    responses={201: {"model": StartedExecution}},
)
async def start_execution(who: CanWrite, body: JsonBody, key: StartKey, baton: Service) -> Response:
    """Start a plan, or a single task from a prompt. The response shows it as it was when it was started."""
    request = validated(StartExecution, body)
    if (request.plan is None) == (request.prompt is None):
        raise InvalidInput("give either a plan or a prompt", ("body",), "missing")
    warnings: tuple[str, ...] = ()
    if request.plan is not None:
        if request.title is not None:
            raise InvalidInput("a plan has its own title", ("body", "title"))
        if request.result_schema is not None:
            raise InvalidInput("a plan's tasks have a result_schema each", ("body", "result_schema"))
        plan = await read_plan(request.plan)
        warnings = plan.warnings
        started = await starts.start_plan(
            baton,
            who,
            plan,
            queue=request.queue,
            agent=request.agent,
            metadata=request.metadata,
            granted_tools=tuple(request.granted_tools),
            plan_only=request.plan_only,
            limits=request.limits,
            key=key,
        )
    else:
        assert request.prompt is not None
        started = await starts.start_task(
            baton,
            who,
            request.prompt,
            title=request.title,
            queue=request.queue,
            agent=request.agent,
            metadata=request.metadata,
            granted_tools=tuple(request.granted_tools),
            plan_only=request.plan_only,
            limits=request.limits,
            result_schema=request.result_schema,
            key=key,
        )
    headers = started_headers(started)
    headers["Location"] = f"{PREFIX}/executions/{started.execution_id}"
    shown = translate.execution(started.view()) | translate.warned((*warnings, *started.warnings))
    return JsonResponse(shown, 201, headers)


@router.get("", dependencies=STRICT_QUERY, responses={200: {"model": Executions}})
async def list_executions(
    who: CanRead,
    baton: Service,
    state: Annotated[list[ExecutionState] | None, Query()] = None,
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """List executions, newest first."""
    page = await executions.list_executions(baton, who, limit=limit, states=state, cursor=cursor)
    return JsonResponse(translate.page(page, translate.execution))


@router.get("/{execution_id}", responses={200: {"model": ExecutionOut}})
async def get_execution(execution_id: str, who: CanRead, baton: Service) -> Response:
    """An execution with its tasks."""
    return _shown(who, await executions.get_execution(baton, who, parse_id(execution_id)))


@router.post("/{execution_id}/cancel", responses={200: {"model": ExecutionOut | ChangedExecution}})
async def cancel_execution(execution_id: str, who: CanWrite, baton: Service) -> Response:
    """Cancel all unfinished tasks permanently."""
    return await _controlled(baton, who, execution_id, control.cancel_execution)


@router.post("/{execution_id}/pause", responses={200: {"model": ExecutionOut | ChangedExecution}})
async def pause_execution(execution_id: str, who: CanWrite, baton: Service) -> Response:
    """Pause all running and waiting tasks."""
    return await _controlled(baton, who, execution_id, control.pause_execution)


@router.post("/{execution_id}/resume", responses={200: {"model": ExecutionOut | ChangedExecution}})
async def resume_execution(execution_id: str, who: CanWrite, baton: Service) -> Response:
    """Resume all paused tasks."""
    return await _controlled(baton, who, execution_id, control.resume_execution)


@router.get("/{execution_id}/events", response_class=Response, responses=STREAM)
async def stream_execution(execution_id: str, request: Request, who: CanRead, baton: Service) -> Response:
    """Stream the execution's events from the start, or after `Last-Event-ID` or `?after=`, then live."""
    return await open_stream(
        baton,
        who,
        parse_id(execution_id),
        cursor_of(request, "after"),
        execution_encoder(),
        snapshot=f"{PREFIX}/executions/{execution_id}",
    )


async def _controlled(
    baton: Baton,
    who: Principal,
    execution_id: str,
    do: Callable[[Baton, Principal, ExecutionId], Awaitable[ExecutionView]],
) -> Response:
    return _shown(who, await do(baton, who, parse_id(execution_id)))


def _shown(who: Principal, execution: ExecutionView) -> Response:
    """An execution; to who may not read it, how it stands."""
    shown = translate.told(who, "execution", translate.execution(execution))
    return JsonResponse(shown, headers=execution_headers(execution.id))
