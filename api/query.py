"""Queries of lists. What a list does not serve is refused by name: a filter that is left out gives wrong lists."""

from collections.abc import Iterator
from typing import Annotated, Final, cast

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import Request

from api.access import authenticate
from baton.domain.agents import Principal
from baton.domain.errors import InvalidInput


async def refuse_unserved(request: Request, _: Annotated[Principal, Depends(authenticate)]) -> None:
    """Raises `InvalidInput` for a query parameter that the route's part of the OpenAPI document does not have."""
    served = {*_served(cast("APIRoute", request.scope["route"]))}
    for name in request.query_params:
        if name not in served:
            others = ", ".join(sorted(served)) or "none"
            raise InvalidInput(f"the parameter {name} is not served here; these are: {others}", ("query", name))


#: `dependencies` of a route that lists.
STRICT_QUERY: Final = [Depends(refuse_unserved)]


def _served(route: APIRoute) -> Iterator[str]:
    for field in route.dependant.query_params:
        yield field.alias
    for parameter in (route.openapi_extra or {}).get("parameters", ()):
        if parameter["in"] == "query":
            yield parameter["name"]
