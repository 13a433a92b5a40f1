"""Routes that call their dependencies directly.

FastAPI's general solver costs more than all of Baton's own work before a message is stored. Where a route needs no
more than Baton's hot ones do, its dependencies are called one after the other, in the order of its signature; all else
about it (matching, errors, the OpenAPI document) is FastAPI's.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class DirectRoute(APIRoute):
    """A route that is direct if it can be: async, answers with a `Response`, takes path parameters and dependencies
    that are async functions of the request alone."""

    def get_route_handler(self) -> Handler:
        """The route as a function of the request."""
        general = super().get_route_handler()
        return _direct(self.dependant) if is_plain(self.dependant) else general


def add_routes(app: FastAPI, *routers: APIRouter) -> None:
    """Add routers' routes to an application, first come first matched, without a router in between at each request."""
    for router in routers:
        app.router.routes.extend(router.routes)


def is_plain(dependant: Dependant) -> bool:
    """Whether a route can be called directly."""
    return (
        inspect.iscoroutinefunction(dependant.call)
        and inspect.signature(dependant.call).return_annotation is Response
        and not (dependant.query_params or dependant.header_params or dependant.cookie_params or dependant.body_params)
        and all(_takes_only_the_request(needed) for needed in dependant.dependencies)
    )


def _takes_only_the_request(needed: Dependant) -> bool:
    return (
        needed.name is not None
        and inspect.iscoroutinefunction(needed.call)
        and list(inspect.signature(needed.call).parameters) == [needed.request_param_name]
    )


def _direct(dependant: Dependant) -> Handler:
    endpoint = cast("Callable[..., Awaitable[Response]]", dependant.call)
    needed = [
        (cast("str", one.name), cast("Callable[[Request], Awaitable[object]]", one.call))
        for one in dependant.dependencies
    ]
    path = [(field.name, field.alias, field) for field in dependant.path_params]
    request_name = dependant.request_param_name

    async def handle(request: Request) -> Response:
        values: dict[str, object] = {name: await call(request) for name, call in needed}
        problems: list[Any] = []
        for name, alias, field in path:
            value, wrong = field.validate(request.path_params.get(alias), {}, loc=("path", alias))
            values[name] = value
            problems += wrong or ()
        if problems:
            raise RequestValidationError(problems)
        if request_name is not None:
            values[request_name] = request
        return await endpoint(**values)

    return handle
