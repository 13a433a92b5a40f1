"""Executions: read, listed, and what happened in them."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanRead, Service
from api.dialects.asteroid import translate
from api.dialects.asteroid.activities import TYPES, activities
from api.dialects.asteroid.paths import (
    ACTIVITIES_QUERY,
    EXECUTION_ID,
    LIST_QUERY,
    Activities,
    ExecutionInPath,
    Listing,
)
from api.dialects.asteroid.schemas import (
    PREFIX,
    READ_ERRORS,
    ActivitiesQuery,
    Activity,
    Execution,
    Executions,
)
from api.query import STRICT_QUERY
from api.responses import JsonResponse, etag, execution_headers, to_json
from api.routing import DirectRoute
from baton.domain.agents import Principal, parse_reference
from baton.service import executions, log
from baton.service.context import Baton

#: After so many bytes a list of activities has no other one.
_MOST_BYTES: Final = 1024 * 1024
router = APIRouter(prefix=f"{PREFIX}/executions", tags=["Execution"], route_class=DirectRoute)


@router.get(
    "",
    operation_id="ExecutionsList",
    dependencies=STRICT_QUERY,
    summary="List executions",
    responses=READ_ERRORS | {200: {"model": Executions}},
    openapi_extra={"parameters": LIST_QUERY},
)
async def list_executions(who: CanRead, query: Listing, baton: Service) -> Response:
    """A page of executions, newest first. A plan's result is part of its own resource only."""
    states, asks = translate.states_of(query.status)
    found = await executions.page_executions(
        baton,
        who,
        limit=query.pageSize,
        offset=(query.page - 1) * query.pageSize,
        states=states,
        asks=asks,
        agent=None if query.agentId is None else parse_reference(query.agentId),
        id_part=query.executionId,
        metadata=query.metadata,
        with_only_tasks=True,
        parameter="pageSize",
    )
    items = [translate.execution(item, who.tenant_id) for item in found.items]
    return JsonResponse(translate.page(items, query.page, query.pageSize, found.total))


@router.get(
    "/{executionId}",
    operation_id="ExecutionGet",
    summary="Get execution",
    responses=READ_ERRORS | {200: {"model": Execution}},
    openapi_extra={"parameters": [EXECUTION_ID]},
)
async def get_execution(who: CanRead, execution_id: ExecutionInPath, baton: Service) -> Response:
    """An execution with its status and result; for a single task with the task's `ETag`."""
    found = await executions.get_execution(baton, who, execution_id)
    headers = execution_headers(execution_id)
    if not found.in_plan and found.tasks:
        headers["ETag"] = etag(found.tasks[0].version)
    return JsonResponse(translate.execution(found, who.tenant_id), headers=headers)


@router.get(
    "/{executionId}/activities",
    operation_id="ExecutionActivitiesGet",
    dependencies=STRICT_QUERY,
    summary="Get execution activities",
    responses=READ_ERRORS | {200: {"model": list[Activity]}},
    openapi_extra={"parameters": [EXECUTION_ID, *ACTIVITIES_QUERY]},
)
async def list_activities(who: CanRead, execution_id: ExecutionInPath, query: Activities, baton: Service) -> Response:
    """An execution's activities.

    Where they are too large for one answer, it has fewer than `limit`, and the header `Baton-Truncated: true`.
    """
    found, is_cut = await _activities(baton, who, execution_id, query)
    headers = execution_headers(execution_id)
    return JsonResponse(found, headers=headers | {"Baton-Truncated": "true"} if is_cut else headers)


async def _activities(
    baton: Baton, who: Principal, execution_id: UUID, query: ActivitiesQuery
) -> tuple[list[dict[str, object]], bool]:
    """Up to ``query.limit`` activities, and none after a megabyte: whoever wants others asks for the other end. And
    whether that has cut them.

    An event makes any number of them, so that a page of events may be too few.
    """
    found: list[dict[str, object]] = []
    beyond: int | None = None
    size = 0
    newest_first = query.order == "desc"
    while len(found) < query.limit:
        is_full = size >= _MOST_BYTES
        page = await log.list_events(
            baton,
            who,
            execution_id,
            TYPES,
            newest_first=newest_first,
            beyond=beyond,
            limit=1 if is_full else query.limit - len(found),
        )
        if is_full or not page:
            return found, bool(page)
        for event in page:
            beyond = event.seq
            made = activities(execution_id, event)
            found += reversed(made) if newest_first else made
            size += len(to_json(made))
            if size >= _MOST_BYTES:
                break
    return found[: query.limit], False
