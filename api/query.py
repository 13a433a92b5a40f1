"""Queries of lists. What a list does not serve is refused by name: a filter that is left out gives wrong lists."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, cast, get_args, get_origin

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import Request

from api.access import authenticate
from baton.domain.agents import Principal
from baton.domain.errors import InvalidInput


async def refuse_unserved(request: Request, _: Annotated[Principal, Depends(authenticate)]) -> None:
    """Raises `InvalidInput` for a query parameter that the route's part of the OpenAPI document does not have, and for
    one that is given several times and is no list there: the last would win."""
    served = dict(_served(cast("APIRoute", request.scope["route"])))
    for name in request.query_params:
        if name not in served:
            others = ", ".join(sorted(served)) or "none"
            raise InvalidInput(f"the parameter {name} is not supported here; supported: {others}", ("query", name))
        if not served[name] and len(request.query_params.getlist(name)) > 1:
            raise InvalidInput(f"the parameter {name} may be given only once", ("query", name))


#: `dependencies` of a route that lists.
STRICT_QUERY: Final = [Depends(refuse_unserved)]


def _served(route: APIRoute) -> Iterator[tuple[str, bool]]:
    """The names of a route's query parameters, and whether each is a list."""
    for field in route.dependant.query_params:
        yield field.alias, _is_list(field.field_info.annotation)
    for parameter in (route.openapi_extra or {}).get("parameters", ()):
        if parameter["in"] == "query":
            yield parameter["name"], parameter["schema"].get("type") == "array"


def _is_list(annotation: Any) -> bool:
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))
