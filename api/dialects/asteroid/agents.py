"""Agents, which executions are started with."""

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanRead, CanWrite, Service
from api.body import JsonBody
from api.dialects.asteroid import translate
from api.dialects.asteroid.paths import AGENT_ID, AGENTS_QUERY, AgentInPath, AgentListing
from api.dialects.asteroid.schemas import BODY_ERRORS, PREFIX, READ_ERRORS, AgentPage, ExecuteAgentRequest, Started
from api.openapi import body_of
from api.options import START_KEY_PARAMETER, StartKey
from api.query import STRICT_QUERY
from api.responses import JsonResponse, started_headers
from api.routing import DirectRoute
from api.validate import validated
from baton.domain.agents import parse_reference
from baton.domain.states import ExecutionState
from baton.service import agents, starts

router = APIRouter(prefix=PREFIX, tags=["Agents"], route_class=DirectRoute)


@router.get(
    "/agents",
    operation_id="AgentList",
    dependencies=STRICT_QUERY,
    summary="List agents",
    responses=READ_ERRORS | {200: {"model": AgentPage}},
    openapi_extra={"parameters": AGENTS_QUERY},
)
async def list_agents(who: CanRead, query: AgentListing, baton: Service) -> Response:
    """A page of the agents that executions can be started with, oldest first."""
    found = await agents.page_agents(
        baton,
        who,
        limit=query.pageSize,
        offset=(query.page - 1) * query.pageSize,
        search=query.searchName,
        parameter="pageSize",
    )
    items = [translate.agent(one) for one in found.items]
    return JsonResponse(translate.page(items, query.page, query.pageSize, found.total))


@router.post(
    "/agents/{agentId}/execute",
    operation_id="AgentExecutePost",
    summary="Execute an agent",
    status_code=202,
    responses=BODY_ERRORS | {202: {"model": Started}},
    openapi_extra=body_of(ExecuteAgentRequest, [AGENT_ID, START_KEY_PARAMETER]),
)
async def execute_agent(
    who: CanWrite, agent_id: AgentInPath, body: JsonBody, key: StartKey, baton: Service
) -> Response:
    """Start an execution with a single task. The inputs become its description."""
    request = validated(ExecuteAgentRequest, body)
    started = await starts.start_task(
        baton,
        who,
        translate.description_of({**(request.dynamicData or {}), **(request.inputs or {})}),
        agent=parse_reference(agent_id),
        metadata=request.metadata,
        key=key,
    )
    return JsonResponse(
        {"executionId": str(started.execution_id), "status": translate.STATUS[ExecutionState.RUNNING]},
        202,
        started_headers(started),
    )
