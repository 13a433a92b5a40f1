"""`/baton/v1/agents`: agents as data."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanChangeAgents, CanRead, Service
from api.body import JsonBody
from api.dialects.baton import translate
from api.dialects.baton.problems import CHANGE_AGENT_PROBLEMS, PREFIX, PROBLEMS
from api.ids import WholeNumber
from api.openapi import body_of
from api.options import IF_MATCH_PARAMETER, START_KEY_PARAMETER, Options, StartKey
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag, replayed_header
from api.routing import DirectRoute
from api.validate import validated
from baton.client.schemas.agents import Agents, ChangeAgent, ChangedAgent, CreateAgent, WholeAgent
from baton.domain.agents import Agent, Principal, parse_reference
from baton.service import agents
from baton.service.agents import AgentChange, WrittenAgent

router = APIRouter(prefix=f"{PREFIX}/agents", tags=["agents"], responses=PROBLEMS, route_class=DirectRoute)


@router.get("", dependencies=STRICT_QUERY, responses={200: {"model": Agents}})
async def list_agents(
    who: CanRead,
    baton: Service,
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """List agents, oldest first. A key bound to one agent sees only that agent."""
    page = await agents.list_agents(baton, who, limit=limit, cursor=cursor)
    return JsonResponse(translate.page(page, translate.agent))


@router.post(
    "",
    status_code=201,
    openapi_extra=body_of(CreateAgent, (START_KEY_PARAMETER,)),
    responses=CHANGE_AGENT_PROBLEMS | {201: {"model": ChangedAgent}},
)
async def create_agent(who: CanChangeAgents, body: JsonBody, key: StartKey, baton: Service) -> Response:
    """Create an agent. Every API accepts its uuid, integer or name.

    Tools, policies and models that no worker has are refused. Before any worker has been seen, `warnings` names them.
    """
    created = await agents.create_agent(baton, who, _change(validated(CreateAgent, body)), key=key)
    headers = replayed_header(replayed=created.replayed) | {"Location": f"{PREFIX}/agents/{created.agent.id}"}
    return _written(who, created, 201, headers)


@router.get("/{agent_id}", responses={200: {"model": WholeAgent}})
async def get_agent(agent_id: str, who: CanRead, baton: Service) -> Response:
    """An agent by its uuid, its integer or its name, with its version as `ETag`."""
    agent = await agents.get_agent(baton, who, parse_reference(agent_id))
    return JsonResponse(translate.agent(agent), headers=_headers(agent))


@router.patch(
    "/{agent_id}",
    openapi_extra=body_of(ChangeAgent, (IF_MATCH_PARAMETER,)),
    responses=CHANGE_AGENT_PROBLEMS | {200: {"model": ChangedAgent}},
)
async def change_agent(
    agent_id: str, who: CanChangeAgents, body: JsonBody, options: Options, baton: Service
) -> Response:
    """Change an agent. Turns that begin afterwards use the new version. Safe to repeat.

    The names that it writes are checked as when an agent is created.
    """
    change = _change(validated(ChangeAgent, body))
    changed = await agents.change_agent(baton, who, parse_reference(agent_id), change, if_versions=options.if_versions)
    return _written(who, changed, 200, {})


def _change(request: CreateAgent | ChangeAgent) -> AgentChange:
    return AgentChange(
        name=request.name,
        model=request.model,
        instructions=request.instructions,
        tools=None if request.tools is None else tuple(request.tools),
        policies=request.policies,
        limits=request.limits,
        model_settings=request.model_settings,
        fallbacks=None if request.fallbacks is None else tuple(one.model_dump() for one in request.fallbacks),
        result_schema=request.result_schema,
        mode=request.mode,
        is_default=request.is_default,
    )


def _written(who: Principal, written: WrittenAgent, status: int, headers: dict[str, str]) -> Response:
    """An agent that was written, with what is doubtful about it."""
    shown = translate.agent(written.agent) | translate.warned(written.warnings)
    return JsonResponse(translate.told(who, "agent", shown), status, headers | _headers(written.agent))


def _headers(agent: Agent) -> dict[str, str]:
    return {"ETag": etag(agent.version)}
