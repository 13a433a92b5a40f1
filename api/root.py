"""What lies beside the dialects: health and documentation. Nothing here needs credentials."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.access import Service
from api.dialect import Dialect, new_app
from api.docs import dialect_page, index_page
from api.responses import JsonResponse
from api.routing import allowed_methods
from baton.service.health import check_health

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def root_app(dialects: Sequence[Dialect], lifespan: Lifespan) -> FastAPI:
    """The application for every path that is no dialect's."""
    app = new_app("Baton", _version(), lifespan=lifespan)
    by_name = {dialect.name: dialect for dialect in dialects}

    @app.get("/health")
    async def health(baton: Service) -> Response:
        """Liveness of this process and what it can reach. 200 even if it can reach neither."""
        found = await check_health(baton)
        return JsonResponse(
            {
                "status": "ok" if found.postgres and found.temporal else "degraded",
                "postgres": found.postgres,
                "temporal": found.temporal,
                **({"reason": found.reason} if found.reason else {}),
                "version": _version(),
            },
            headers={"Cache-Control": "no-store"},
        )

    @app.get("/docs")
    async def documentation() -> Response:
        """List of the APIs."""
        return HTMLResponse(index_page(dialects))

    @app.get("/docs/{name}")
    async def dialect_documentation(name: str) -> Response:
        """The operations of a dialect."""
        return HTMLResponse(dialect_page(_known(by_name, name)))

    @app.get("/docs/{name}/openapi.json")
    async def openapi(name: str) -> Response:
        """A dialect's OpenAPI document."""
        return JsonResponse(_known(by_name, name).app.openapi())

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = {"Allow": allowed_methods(request)} if error.status_code == 405 else error.headers
        return JsonResponse({"detail": str(error.detail)}, error.status_code, headers)

    async def on_bug(_: Request, error: Exception) -> Response:
        return JsonResponse({"detail": "internal error; it has been logged"}, 500)

    def refuse(_: Request, status: int, message: str) -> Response:
        return JsonResponse({"detail": message}, status)

    app.state.refuse = refuse
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_bug)
    return app


def _known(dialects: dict[str, Dialect], name: str) -> Dialect:
    if name not in dialects:
        raise HTTPException(404, "there is no such page")
    return dialects[name]


def _version() -> str:
    try:
        return version("baton")
    except PackageNotFoundError:
        return "unknown"
