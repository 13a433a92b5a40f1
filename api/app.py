"""The API's one application: every dialect at its published paths, health and documentation beside them."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import State
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.dialect import Dialect
from api.dialects import all_dialects
from api.errors import Refuse
from api.heads import fault_of
from api.measures import begin, measured
from api.quotas import telling_quota
from api.request_ids import request_id
from api.room import Room
from api.root import root_app
from api.routing import routable
from baton.metrics.page import MetricsPage
from baton.metrics.series import CONNECTIONS, CONNECTIONS_MOST
from baton.runtime.listener import listen
from baton.runtime.logging import about, whereabouts
from baton.runtime.pages import PageServer
from baton.service.context import Baton, open_baton
from baton.service.telemetry import core_runtime
from baton.settings import Settings, load_settings

#: What a page of another origin may read of an answer.
_EXPOSED: Final = (
    "Baton-Message-Id",
    "Baton-Execution-Id",
    "Baton-Truncated",
    "Baton-Warning",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
)
_log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> "BatonApp":
    """The application, as `uvicorn` runs it. Its lifespan opens and closes what it works with."""
    return BatonApp(settings or load_settings())


class BatonApp:
    """Hands each request to the dialect whose prefix is the longest that matches its path, else to the root.

    ``state.draining``: when it is set, no more work is wanted. ``state.stopping``: streams end. ``state.baton`` is
    there while the lifespan is open.
    """

    def __init__(self, settings: Settings) -> None:
        self.state = State()
        self.state.draining = asyncio.Event()
        self.state.stopping = asyncio.Event()
        self.dialects: Sequence[Dialect] = all_dialects()
        self.settings = settings
        self.room = Room(settings.max_connections)
        #: Host and port for operators, while the lifespan is open and if there is one.
        self.metrics_address: tuple[str, int] | None = None
        self._root = root_app(self.dialects, self._lifespan)
        prefixes = [(prefix, dialect.app) for dialect in self.dialects for prefix in dialect.prefixes]
        prefixes.sort(key=lambda route: route[0].count("/"), reverse=True)
        self._prefixes = re.compile("|".join(rf"({_pattern(prefix)})(?:/|\Z)" for prefix, _ in prefixes))
        self._apps = [self._root, *(app for _, app in prefixes)]
        names = {id(dialect.app): dialect.name for dialect in self.dialects}
        self._names = [names.get(id(app), "none") for app in self._apps]
        for name in self._names:
            begin(name)
        self._app: ASGIApp = self._dispatch
        if settings.cors_origins:
            self._app = CORSMiddleware(
                self._dispatch,
                allow_origins=settings.cors_origins,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=_EXPOSED,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A bug's traceback is logged without its message: that might hold a user's words."""
        if scope["type"] != "http":
            await self._root(scope, receive, send)
            return
        about(request_id=request_id(scope))
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 the edge of the process; the dialect has answered with a 500
            _log.error("%s failed: %s", scope["method"], whereabouts(error))

    def find(self, path: str) -> FastAPI:
        """The application that answers ``path``."""
        return self._apps[self._place(path)]

    def refuse(self, scope: Scope, status: int, message: str) -> Response:
        """The refusal of what was no whole request, in the shape of the dialect whose path it is."""
        refuse: Refuse = self.find(scope["path"]).state.refuse
        return refuse(Request(scope), status, message)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = fault_of(scope)
        if not fault:
            scope = routable(scope)
        place = self._place(scope["path"])
        send = measured(self._names[place], send)
        if fault:
            await self.refuse(scope, 400, fault)(scope, receive, send)
        else:
            await self._apps[place](scope, receive, telling_quota(scope, send))

    def _place(self, path: str) -> int:
        found = self._prefixes.match(path)
        return found.lastindex or 0 if found else 0

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncGenerator[None]:
        baton = await open_baton(self.settings)
        for app in (self._root, *(dialect.app for dialect in self.dialects)):
            app.state.baton = baton
        self.state.baton = baton
        CONNECTIONS.set_function(lambda: self.room.taken)
        CONNECTIONS_MOST.set(self.settings.max_connections)
        whens = (self.state.draining, baton.health.drain), (self.state.stopping, baton.feed.stop)
        stoppers = [asyncio.create_task(_when(event, then), name="stop") for event, then in whens]
        try:
            async with _for_operators(self.settings, baton) as self.metrics_address:
                yield
        finally:
            for stopper in stoppers:
                stopper.cancel()
            await baton.close()


def _pattern(prefix: str) -> str:
    """A dialect's prefix, in which ``{name}`` stands for any segment, as a regular expression."""
    return "/".join("[^/]+" if segment.startswith("{") else re.escape(segment) for segment in prefix.split("/"))


@asynccontextmanager
async def _for_operators(settings: Settings, baton: Baton) -> AsyncGenerator[tuple[str, int] | None]:
    """What operators and their tools read, on a port of its own if there is one: metrics are no caller's business, and
    probes must be answered also while callers have all connections. See ADR 29."""
    if settings.metrics_port is None:
        yield None
        return
    pages = {**baton.health_pages, "/metrics": MetricsPage(core_runtime(metrics=True).metrics_url)}
    async with PageServer(listen(settings.host, settings.metrics_port), pages) as server:
        _log.info("metrics are at http://%s:%d/metrics", *server.address)
        yield server.address


async def _when(event: asyncio.Event, then: Callable[[], None]) -> None:
    await event.wait()
    then()
