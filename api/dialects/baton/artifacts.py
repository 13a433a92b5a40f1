"""`/baton/v1/artifacts`: results of tool calls that were too long for the agent to read whole."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, Service
from api.dialects.baton import translate
from api.dialects.baton.problems import PREFIX, PROBLEMS
from api.ids import WholeNumber
from api.ids import artifact_id as parse_id
from api.query import STRICT_QUERY
from api.responses import JsonResponse, execution_headers
from api.routing import DirectRoute
from baton.client.schemas.artifacts import ArtifactOut
from baton.service import artifacts

router = APIRouter(prefix=f"{PREFIX}/artifacts", tags=["artifacts"], responses=PROBLEMS, route_class=DirectRoute)


@router.get("/{artifact_id}", dependencies=STRICT_QUERY, responses={200: {"model": ArtifactOut}})
async def get_artifact(
    artifact_id: str,
    who: CanRead,
    baton: Service,
    offset: Annotated[WholeNumber, Query(ge=0, le=2**30, description="The byte to begin at.")] = 0,
    limit: Annotated[WholeNumber, Query(ge=16, le=artifacts.MOST_BYTES, description="How many bytes.")] = 65536,
) -> Response:
    """A part of an artifact, in whole characters. `next_offset` is where the next part begins.

    `tool.completed` names a call's artifact.
    """
    part = await artifacts.read_artifact(baton, who, parse_id(artifact_id), offset=offset, limit=limit)
    return JsonResponse(translate.artifact(part), headers=execution_headers(part.execution_id))
