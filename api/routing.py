"""How requests find their routes, and routes that call their dependencies directly.

FastAPI's general solver costs more than all of Baton's own work before a message is stored. Where a route needs no
more than Baton's hot ones do, its dependencies are called one after the other, in the order of its signature; all else
about it (matching, errors, the OpenAPI document) is FastAPI's.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, cast
from urllib.parse import unquote

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

#: In the scope of a request for the headers of an answer alone: it is routed as a GET, and the server sends no body.
HEAD_ONLY: Final = "baton.head_only"
#: In the scope of a request whose path is still encoded.
_ENCODED: Final = "baton.encoded_path"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def routable(scope: Scope) -> Scope:
    """A request as it is routed: HEAD finds what GET does, and an encoded slash is part of its segment."""
    if scope["method"] == "HEAD":
        scope = {**scope, "method": "GET", HEAD_ONLY: True}
    if b"%2f" in (raw_path := scope.get("raw_path", b"")).lower():
        scope = {**scope, "path": raw_path.decode("latin-1"), _ENCODED: True}
    return scope


def allowed_methods(request: Request) -> str:
    """All methods that some route takes for the request's path, as an `Allow` header has them."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in routes if isinstance(route, APIRoute) for method in route.methods or ()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


class DirectRoute(APIRoute):
    """A route that is direct if it can be: async, answers with a `Response`, takes path parameters and dependencies
    that are async functions of the request alone."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that this route's path has matched."""
        if _ENCODED in scope:
            scope["path_params"] = {name: unquote(value) for name, value in scope["path_params"].items()}
        await super().handle(scope, receive, send)

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
