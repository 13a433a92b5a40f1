"""Repositories: Baton has none. Clients ask for them first."""

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanRead
from api.dialects.twill.schemas import API, READ_ERRORS, RepositoriesResponse
from api.responses import JsonResponse
from api.routing import DirectRoute

router = APIRouter(prefix=f"{API}/repositories", tags=["Repositories"], responses=READ_ERRORS, route_class=DirectRoute)


@router.get("", operation_id="listRepositories", responses={200: {"model": RepositoriesResponse}})
async def list_repositories(who: CanRead) -> Response:
    """List the repositories that tasks may work on: none, agents bring their own tools."""
    return JsonResponse({"repositories": []})
