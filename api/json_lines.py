"""Answers in JSON lines of any length, made while the client reads."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.access import CREDENTIALS, still_counts
from api.connection import ABORT
from api.responses import to_json_line
from api.routing import HEAD_ONLY
from baton.domain.errors import DomainError, Unauthenticated
from baton.service.context import Baton

MEDIA_TYPE: Final = "application/x-ndjson"
#: So much is given to a connection at once, and the next when the client has read on.
_PIECE_BYTES: Final = 64 * 1024
_log = logging.getLogger(__name__)


class JsonLines(Response):
    """Sends ``lines`` while there are any and the caller's credentials count, and then calls ``close``.

    What cannot be sent to its end is cut: the connection ends in its middle. How long a client may take to read on is
    the connection's to limit.
    """

    def __init__(self, lines: AsyncGenerator[Any], baton: Baton, close: Callable[[], None]) -> None:
        super().__init__(headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._lines = lines
        self._baton = baton
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the last line, or until the client goes away."""
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with aclosing(self._lines):
                if HEAD_ONLY not in scope:
                    await self._pump(send, gone, cast("str", scope[CREDENTIALS]))
            await _say(send, b"", more=False)
        except DomainError as error:  # the answer has begun: it can only be cut
            _log.warning("cut an answer short: %s", error.code)
            scope["extensions"][ABORT]()
            await gone
        finally:
            gone.cancel()
            self._close()

    async def _pump(self, send: Send, gone: "asyncio.Task[None]", token: str) -> None:
        checked_at = time.monotonic()
        kept = b""
        async for line in self._lines:
            if gone.done():
                return
            if time.monotonic() >= checked_at + self._baton.settings.stream_keepalive_seconds:
                checked_at = time.monotonic()
                if not await still_counts(self._baton, token):
                    raise Unauthenticated("the credentials count no more")
            kept += to_json_line(line) + b"\n"
            if len(kept) >= _PIECE_BYTES:
                whole, kept = memoryview(kept), b""
                for at in range(0, len(whole), _PIECE_BYTES):
                    await _say(send, bytes(whole[at : at + _PIECE_BYTES]))
        await _say(send, kept)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _say(send: Send, data: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})
