"""An execution's status and result at the paths that the TypeScript client polls."""

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanRead, Service
from api.dialects.asteroid import translate
from api.dialects.asteroid.paths import EXECUTION_ID, ExecutionInPath
from api.dialects.asteroid.schemas import POLLED, READ_ERRORS, PolledResult, PolledStatus
from api.responses import JsonResponse, execution_headers
from api.routing import DirectRoute
from baton.service import executions

router = APIRouter(
    prefix=f"{POLLED}/{{executionId}}",
    tags=["Execution"],
    responses=READ_ERRORS,
    route_class=DirectRoute,
)


@router.get(
    "/status",
    operation_id="getExecutionStatus",
    responses={200: {"model": PolledStatus}},
    openapi_extra={"parameters": [EXECUTION_ID]},
)
async def get_execution_status(who: CanRead, execution_id: ExecutionInPath, baton: Service) -> Response:
    """An execution's status; why it has failed."""
    found = await executions.get_execution(baton, who, execution_id)
    return JsonResponse(translate.polled_status(found), headers=execution_headers(execution_id))


@router.get(
    "/result",
    operation_id="getExecutionResult",
    responses={200: {"model": PolledResult}},
    openapi_extra={"parameters": [EXECUTION_ID]},
)
async def get_execution_result(who: CanRead, execution_id: ExecutionInPath, baton: Service) -> Response:
    """What came of an execution; nothing while it goes on."""
    found = await executions.get_execution(baton, who, execution_id)
    return JsonResponse(translate.polled_result(found), headers=execution_headers(execution_id))
