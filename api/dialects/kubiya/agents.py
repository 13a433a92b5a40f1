"""Kubiya's agents, which clients ask for first."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, Service
from api.dialects.kubiya import translate
from api.ids import WholeNumber
from api.query import STRICT_QUERY
from api.responses import JsonResponse
from api.routing import DirectRoute
from baton.domain.agents import parse_reference
from baton.service import agents

router = APIRouter(prefix="/api/v1/agents", tags=["agents"], route_class=DirectRoute)

_Offset = Annotated[WholeNumber, Query(ge=0, le=2**31)]


@router.get("", dependencies=STRICT_QUERY)
async def list_agents(
    who: CanRead,
    baton: Service,
    limit: Annotated[WholeNumber, Query(ge=1, le=1000)] = 100,
    offset: _Offset = 0,
    skip: _Offset = 0,
    search: str | None = None,
    status_filter: str | None = None,
) -> Response:
    """List agents, oldest first. `skip` is another name for `offset`; all agents have the status `idle`."""
    page = await agents.page_agents(baton, who, limit=limit, offset=offset + skip, search=search)
    shown = [translate.agent(one) for one in page.items]
    return JsonResponse([one for one in shown if status_filter in (None, one["status"])])


@router.get("/{agent_id}")
async def get_agent(agent_id: str, who: CanRead, baton: Service) -> Response:
    """An agent, given by uuid, integer or name."""
    return JsonResponse(translate.agent(await agents.get_agent(baton, who, parse_reference(agent_id))))
