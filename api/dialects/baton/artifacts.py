"""`/baton/v1/artifacts` and their lists: results of tool calls that were too long for the agent to read whole."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.access import CanRead, Service
from api.dialects.baton import translate
from api.dialects.baton.problems import PREFIX, PROBLEMS
from api.ids import WholeNumber
from api.ids import artifact_id as parse_id
from api.ids import execution_id as parse_execution_id
from api.ids import task_id as parse_task_id
from api.query import STRICT_QUERY
from api.responses import JsonResponse, execution_headers
from api.routing import DirectRoute
from baton.client.schemas.artifacts import ArtifactOut, ArtifactPage
from baton.domain.ids import TaskById
from baton.service import artifacts

router = APIRouter(prefix=PREFIX, tags=["artifacts"], responses=PROBLEMS, route_class=DirectRoute)


@router.get("/tasks/{task_id}/artifacts", dependencies=STRICT_QUERY, responses={200: {"model": ArtifactPage}})
async def list_artifacts_of_task(
    task_id: str,
    who: CanRead,
    baton: Service,
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """A task's artifacts, oldest first, without what they say."""
    address = TaskById(parse_task_id(task_id))
    page = await artifacts.artifacts_of_task(baton, who, address, limit=limit, cursor=cursor)
    return JsonResponse(translate.page(page, translate.kept_artifact))


@router.get("/executions/{execution_id}/artifacts", dependencies=STRICT_QUERY, responses={200: {"model": ArtifactPage}})
async def list_artifacts_of_execution(
    execution_id: str,
    who: CanRead,
    baton: Service,
    cursor: str | None = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=200)] = 50,
) -> Response:
    """The artifacts of all of an execution's tasks, oldest first, without what they say."""
    execution = parse_execution_id(execution_id)
    page = await artifacts.artifacts_of_execution(baton, who, execution, limit=limit, cursor=cursor)
    return JsonResponse(translate.page(page, translate.kept_artifact))


@router.get("/artifacts/{artifact_id}", dependencies=STRICT_QUERY, responses={200: {"model": ArtifactOut}})
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
