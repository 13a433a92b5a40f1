"""Who calls."""

from fastapi import APIRouter
from starlette.responses import Response

from api.access import CanRead
from api.dialects.twill import translate
from api.dialects.twill.schemas import API, READ_ERRORS, MeResponse
from api.responses import JsonResponse
from api.routing import DirectRoute

router = APIRouter(prefix=f"{API}/auth", tags=["Auth"], responses=READ_ERRORS, route_class=DirectRoute)


@router.get("/me", operation_id="getMe", responses={200: {"model": MeResponse}})
async def get_me(who: CanRead) -> Response:
    """The caller's user, key and workspace."""
    return JsonResponse(translate.me(who))
