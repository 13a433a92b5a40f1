"""Kubiya's list of agents, which clients ask for first."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, Service
from api.dialects.kubiya import translate
from api.ids import WholeNumber
from api.responses import JsonResponse
from api.routing import DirectRoute
from baton.service import agents

router = APIRouter(tags=["agents"], route_class=DirectRoute)


@router.get("/api/v1/agents")
async def list_agents(
    who: CanRead, baton: Service, limit: Annotated[WholeNumber, Query(ge=1, le=1000)] = 100
) -> Response:
    """List agents, oldest first."""
    page = await agents.list_agents(baton, who, limit=limit)
    return JsonResponse([translate.agent(one) for one in page.items])
