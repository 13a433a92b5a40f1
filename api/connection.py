"""One client's connection, with time limits, and with refusals in the dialects' words.

Before a request's headers are complete no application sees it, so what goes wrong until then is answered here: what is
no HTTP (400), headers that do not end (408) or are too long (431). A client that sends nothing, reads nothing or sends
a byte now and then holds a connection for a limited time, whatever it is waiting for.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final, Protocol, cast
from urllib.parse import unquote

import uvicorn
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from api.http1 import Http1, Phase
from api.room import Room
from baton.metrics.series import REFUSED
from baton.settings import Settings

#: Where a request's scope has what ends its connection at once, without waiting for the client to read.
ABORT: Final = "baton.abort"
#: An idle connection is kept open for so long.
KEEP_ALIVE_SECONDS: Final = 75
#: A client that reads, but slowly, has so many times the time of one that does not.
_SLOWEST: Final = 10
#: How often a connection is looked at, in its shortest time limit.
_LOOKS: Final = 4


class Refuses(Protocol):
    """An application that words the refusal of a request that it did not get to see."""

    settings: Settings
    room: Room

    def refuse(self, scope: Scope, status: int, message: str) -> Response:
        """The answer, in the shape of the dialect whose path it is."""
        ...


class ApiConnection(Http1):
    """A connection that ends by itself. Needs an application that `Refuses`."""

    __slots__ = (
        "_body_seconds",
        "_closing_since",
        "_garbage",
        "_head_seconds",
        "_idle_since",
        "_look",
        "_paused_since",
        "_progress_at",
        "_refuse",
        "_room",
        "_unwritten",
        "_was_asked",
    )

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        app = cast("Refuses", config.app)
        self._refuse = app.refuse
        self._room = app.room
        self._head_seconds = app.settings.header_timeout_seconds
        self._body_seconds = app.settings.body_timeout_seconds
        self._look: asyncio.TimerHandle | None = None
        #: Since when nobody has been at work for this connection: it was made, or the last answer was complete.
        self._idle_since = self.loop.time()
        self._was_asked = False
        self._closing_since: float | None = None
        #: Since when answers have waited for the client to read, when it last did, and how much was left then.
        self._paused_since: float | None = None
        self._progress_at = 0.0
        self._unwritten = 0
        self._garbage: tuple[int, str] | None = None

    # --- what the transport tells -----------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._look_again()
        if not self._room.enter(self):
            self.malformed(503, "too many connections: try again")

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.leave(self)
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What comes after something that was no HTTP is not looked at."""
        if self._garbage is None and not self.transport.is_closing():
            super().data_received(data)

    def on_headers_complete(self) -> None:
        self.scope["extensions"] = cast("Any", {ABORT: self._abort})
        super().on_headers_complete()
        if self.phase is Phase.BODY:
            self._was_asked = True
            self._room.busy(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._idle_since = self.loop.time()
        if not self._is_busy and not self.transport.is_closing():
            self._room.idle(self)
        if self._garbage is not None and not self._is_busy and not self.transport.is_closing():
            self._write_refusal(*self._garbage)

    # --- time limits ------------------------------------------------------------------------------------------------
    @property
    def _is_busy(self) -> bool:
        """Whether an answer is under way or due: its application has time limits of its own."""
        return self._was_asked and not self.cycle.response_complete

    def _look_again(self) -> None:
        shortest = min(self._head_seconds, self._body_seconds, KEEP_ALIVE_SECONDS)
        self._look = self.loop.call_later(shortest / _LOOKS, self._look_now)

    def _look_now(self) -> None:
        now = self.loop.time()
        idle = now - self._idle_since
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
            if now - self._closing_since > self._body_seconds:
                self.transport.abort()  # its last answer is not being read
        elif self.phase is Phase.HEAD:
            if now - self.head_began_at > self._head_seconds and self._garbage is None:
                self.malformed(408, "the request headers did not arrive in time")
        elif not self._is_busy and idle > self._idle_limit:
            self.transport.close()
        self._limit_writing(now)
        self._look_again()

    def _limit_writing(self, now: float) -> None:
        """An answer has to wait for a client that does not read: some time without any progress, longer in all."""
        if not self.flow.write_paused:
            self._paused_since = None
            return
        size = self.transport.get_write_buffer_size()
        if self._paused_since is None:
            self._paused_since = self._progress_at = now
        elif size != self._unwritten:
            self._progress_at = now
        self._unwritten = size
        if now - self._progress_at > self._body_seconds or now - self._paused_since > _SLOWEST * self._body_seconds:
            self.transport.abort()

    @property
    def _idle_limit(self) -> float:
        """How long nobody need be at work: before the first request, while the rest of a body comes that nobody wants
        any more, between requests."""
        if not self._was_asked:
            return self._head_seconds
        return self._body_seconds if self.phase is Phase.BODY else KEEP_ALIVE_SECONDS

    def make_room(self) -> None:
        """End the connection at once: it is idle, and another needs its place."""
        self.transport.abort()

    def _abort(self) -> None:
        self.transport.abort()

    # --- refusals ---------------------------------------------------------------------------------------------------
    def malformed(self, status: int, message: str) -> None:
        """Refuse the request, once all that came before it has been answered, and end the connection."""
        self._garbage = status, message
        if self.transport.is_closing():
            return
        if not self._is_busy:
            if self.phase is Phase.BODY:
                self.transport.close()  # the rest of a request that was answered already
            else:
                self._write_refusal(status, message)
        elif self.cycle.more_body and not self.pipeline:
            # The request itself is broken: its application learns that the client is gone.
            if self.cycle.response_started:
                self.transport.close()
            else:
                self._write_refusal(status, message)

    def _write_refusal(self, status: int, message: str) -> None:
        REFUSED.labels(status).inc()
        target = (self.url or b"/").partition(b"?")[0]
        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": unquote(target.decode("latin-1")),
            "headers": [],
            "query_string": b"",
        }
        response = self._refuse(scope, status, message)
        head = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            head += b"retry-after: 1\r\n"
        self.transport.write(STATUS_LINE[status] + head + b"connection: close\r\n\r\n" + bytes(response.body))
        self.transport.close()


def server_config(app: Any, **more: Any) -> uvicorn.Config:
    """How uvicorn serves ``app``, which `Refuses`: by `ApiConnection`, and without saying what it is."""
    return uvicorn.Config(
        app,
        http=ApiConnection,
        ws="none",
        lifespan="on",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        **more,
    )
