"""HTTP/1 as uvicorn and llhttp read it, made strict where they go along with a client.

An offer to switch protocols is ignored and the body read (RFC 9110, 7.8); trailers are not headers; a transfer coding
is `chunked`, on HTTP/1.1, or refused; an answer of unknown length to HTTP/1.0 ends with its connection instead of
coming in chunks; and there is a limit to all that comes beside bodies. See docs/adr/0018.
"""

import asyncio
import re
from enum import Enum, auto
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

#: A request's target and headers; also what comes beside its body: sizes and extensions of chunks, and trailers.
_MAX_HEAD_BYTES: Final = 64 * 1024
#: Each byte of a body allows so many more beside it: it may be a chunk of its own.
_FRAMING_PER_BYTE: Final = 8
#: Requests that a client may send before the first of them is answered.
_MAX_PIPELINED: Final = 16
_TARGET: Final = re.compile(rb"[A-Z]{3,16} (/[^ \r\n]*) HTTP/")
_TOO_LONG: Final = 431, "the request headers are too large"


class Phase(Enum):
    """Where in a request a connection's bytes are."""

    BETWEEN = auto()
    HEAD = auto()
    BODY = auto()


class Http1(HttpToolsProtocol):
    """A connection that reads requests. What is refused goes to `malformed`."""

    # Thousands of readers hold one each: attributes beyond those of uvicorn's class would cost them kilobytes.
    __slots__ = ("_beside_body", "_refusal", "head_began_at", "phase")

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.phase = Phase.BETWEEN
        self.head_began_at = 0.0
        self.url = b""
        #: What has come since the last request's end, less what its body allows.
        self._beside_body = 0
        self._refusal: tuple[int, str] | None = None

    def malformed(self, status: int, message: str) -> None:
        """Nothing that came after the last whole request can be trusted. ``url``: the target, as far as it is known."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._unset_keepalive_if_required()
        self._beside_body += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            # A target that is refused never comes out of the parser; what it came with may begin with another body.
            self.url = self.url or next(iter(_TARGET.findall(data)[-1:]), b"")
            self.malformed(*self._refusal or (400, "malformed HTTP request"))
        else:
            if self._beside_body > _MAX_HEAD_BYTES and self.phase is not Phase.BETWEEN:
                self.malformed(
                    *_TOO_LONG if self.phase is Phase.HEAD else (413, "the body has more chunk framing than content")
                )

    def _parse(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                # llhttp takes the rest for another protocol: it gets the request again, without the offer.
                data = self._head_without_offer() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's has it
            else:
                return

    def _head_without_offer(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            raise httptools.HttpParserError("this is no proxy")
        head = b"".join(b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade")
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, head)

    # --- what the parser tells --------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.phase = Phase.HEAD
        self.head_began_at = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase is Phase.HEAD:  # else it is a trailer
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._check_head()
        super().on_headers_complete()
        self.phase = Phase.BODY
        if self.scope["http_version"] == "1.0":
            self.cycle.send = _without_chunks(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body) * (1 + _FRAMING_PER_BYTE)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self.phase = Phase.BETWEEN
        self._beside_body = 0

    # --- what is refused --------------------------------------------------------------------------------------------
    def _check_head(self) -> None:
        if len(self.pipeline) >= _MAX_PIPELINED:
            raise httptools.HttpParserError("too many requests before an answer")
        size = len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value) + len(b": \r\n")
            if name == b"transfer-encoding" and (
                value.lower() != b"chunked" or self.parser.get_http_version() != "1.1"
            ):
                raise httptools.HttpParserError("another transfer coding")
        if size > _MAX_HEAD_BYTES:
            self._refusal = _TOO_LONG
            raise httptools.HttpParserError("too long")


def _without_chunks(cycle: RequestResponseCycle) -> Any:
    """How an answer to HTTP/1.0 is sent: where its length is not known, it ends with the connection."""
    send, is_unframed = cycle.send, False

    async def send_unframed(message: Any) -> None:
        nonlocal is_unframed
        if message["type"] == "http.response.start":
            is_unframed = not any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
            if is_unframed:
                cycle.chunked_encoding = False
        elif is_unframed:
            cycle.expected_content_length = len(message.get("body", b""))  # uvicorn counts what is left
        await send(message)

    return send_unframed
