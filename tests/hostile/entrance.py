"""The API behind proxies, with somebody at its door who writes down what it is asked."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.app import BatonApp
from api.room import Room
from baton.settings import Settings
from tests.support.api import RunningApi, running_api
from tests.support.proxies import PROXIES, proxy

#: Ways to the API.
ROUTES: Final = ("direct", *PROXIES)


@dataclass
class Asked:
    """A request, as the application was asked."""

    method: str
    path: str
    name: str
    body: bytes = b""


@dataclass
class Recorder:
    """Stands at the application's door."""

    app: BatonApp
    asked: list[Asked] = field(default_factory=list[Asked])

    @property
    def settings(self) -> Settings:
        """The application's."""
        return self.app.settings

    @property
    def room(self) -> Room:
        """The application's."""
        return self.app.room

    def refuse(self, scope: Scope, status: int, message: str) -> Response:
        """As the application does."""
        return self.app.refuse(scope, status, message)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        one = Asked(scope["method"], scope["path"], headers.get("x-name", ""))
        self.asked.append(one)

        async def read() -> Message:
            message = await receive()
            one.body += message.get("body", b"")
            return message

        await self.app(scope, read, send)


@dataclass(frozen=True)
class Entrance:
    """The API with a recorder, and the urls that lead to it; None where a proxy is not installed."""

    api: RunningApi
    recorder: Recorder
    urls: dict[str, str | None]

    def url(self, route: str) -> str:
        """Where the API is by that route. Skips the test where the proxy is not installed."""
        url = self.urls[route]
        if url is None:
            pytest.skip(f"{route} is not installed")
        return url


@asynccontextmanager
async def open_entrance(dsn: str, directory: Path) -> AsyncGenerator[Entrance]:
    """An API on ``dsn``, behind each proxy that is there."""
    recorders: list[Recorder] = []

    def door(app: BatonApp) -> Recorder:
        recorders.append(Recorder(app))
        return recorders[0]

    async with (
        running_api(dsn, door) as api,
        proxy("nginx", api.url, directory) as nginx,
        proxy("haproxy", api.url, directory) as haproxy,
    ):
        yield Entrance(api, recorders[0], {"direct": api.url, "nginx": nginx, "haproxy": haproxy})
