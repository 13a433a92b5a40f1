"""What lies beside the dialects: health and documentation. Nothing here needs credentials."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.access import Service
from api.dialect import Dialect, new_app
from api.docs import dialect_page, index_page
from api.responses import JsonResponse
from api.routing import allowed_methods
from baton.domain.health import CheckStatus
from baton.runtime.pages import MakePage
from baton.service.health import IN_TEMPORAL, baton_version

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def root_app(dialects: Sequence[Dialect], lifespan: Lifespan) -> FastAPI:
    """The application for every path that is no dialect's."""
    app = new_app("Baton", baton_version(), lifespan=lifespan)
    by_name = {dialect.name: dialect for dialect in dialects}

    @app.get("/livez")
    async def livez(request: Request, baton: Service) -> Response:
        """Whether only a restart helps this process: a 503 then. `Accept: text/plain` gets one line."""
        return await _page(baton.health_pages["/livez"], request)

    @app.get("/readyz")
    async def readyz(request: Request, baton: Service) -> Response:
        """Whether this process can take requests, else a 503, and all that is wrong, with remedies.

        `Accept: text/plain` gets one line. What is told is at most a few seconds old.
        """
        return await _page(baton.health_pages["/readyz"], request)

    @app.get("/health")
    async def health(baton: Service) -> Response:
        """What this process can reach. 200 even if it can reach neither."""
        found = await baton.health.first()
        postgres, temporal = found.is_well("database", "schema"), found.is_well("temporal", *IN_TEMPORAL)
        reason = "; ".join(check.reason for check in found.checks if check.status is CheckStatus.FAILED)
        return JsonResponse(
            {
                "status": "ok" if postgres and temporal else "degraded",
                "postgres": postgres,
                "temporal": temporal,
                **({"reason": reason} if reason else {}),
                "version": baton_version(),
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


async def _page(make: MakePage, request: Request) -> Response:
    page = await make(request.headers.get("accept", ""))
    return Response(page.body, page.status, {"Cache-Control": "no-store"}, page.content_type)
