"""A few pages for operators and their tools, over HTTP, beside a process's own work: a worker's health and metrics.

A page costs what its function costs: one that strangers may ask for answers from what is known already. A connection
carries one request and ends within seconds, whatever its client does.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

#: A connection lasts no longer: to answer takes milliseconds.
_SECONDS: Final = 10.0
#: Connections at a time. The oldest gives way to another: it is late, and a probe must not fail because of strangers.
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class StatusPage:
    """An answer."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200


#: Makes a page. It is given the request's `Accept` header, "" where there is none.
MakePage: TypeAlias = Callable[[str], Awaitable[StatusPage]]


class PageServer:
    """Serves ``pages``, by path, on a listening socket, which it closes at the end. For GET and HEAD."""

    def __init__(self, listener: socket.socket, pages: Mapping[str, MakePage]) -> None:
        self._listener = listener
        self._pages = pages
        self._state = ServerState()
        self._open: dict[_Connection, None] = {}
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    async def __aenter__(self) -> Self:
        config = uvicorn.Config(
            self._answer,
            http=HttpToolsProtocol,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
        )
        config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(config, self._state, self._open), sock=self._listener
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.transport.abort()

    async def _answer(self, scope: Any, _: object, send: Callable[[Any], Awaitable[None]]) -> None:
        page = await self._page(scope)
        headers = [
            (b"content-type", page.content_type.encode()),
            (b"content-length", str(len(page.body)).encode()),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        if page.status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": page.status, "headers": headers})
        await send({"type": "http.response.body", "body": page.body})

    async def _page(self, scope: Any) -> StatusPage:
        make = self._pages.get(scope["path"])
        if make is None:
            return StatusPage(f"there are {', '.join(sorted(self._pages))}\n".encode(), status=404)
        if scope["method"] not in ("GET", "HEAD"):
            return StatusPage(b"use GET\n", status=405)
        accept = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"), "")
        return await make(accept)


class _Connection(HttpToolsProtocol):
    """A connection that ends, also one whose client sends or reads nothing. ``open``: all, in the order they came."""

    def __init__(self, config: uvicorn.Config, state: ServerState, open: "dict[_Connection, None]") -> None:
        super().__init__(config, state, {})
        self._open = open

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if len(self._open) >= _MOST:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[self] = None
        self.loop.call_later(_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._open.pop(self, None)
