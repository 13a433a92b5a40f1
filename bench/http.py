"""A light HTTP/1.1 client: the load generator must not be what is measured.

One connection, one request at a time, kept alive. It knows what uvicorn sends and nothing more: a `Content-Length` on
every answer, or an answer that is read as a stream.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A status and a whole body."""

    status: int
    body: bytes


class BenchConnection:
    """A connection to one server, with the same headers on every request. Close it at the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._head = head

    @classmethod
    async def open(cls, host: str, port: int, token: str) -> "BenchConnection":
        """Connect. Raises OSError."""
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
        head = f" HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        return cls(reader, writer, head.encode())

    def close(self) -> None:
        """Drop the connection."""
        self._writer.close()

    async def post(self, path: str, body: bytes) -> HttpAnswer:
        """Send JSON; the whole answer."""
        length = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._writer.write(b"".join((b"POST ", path.encode(), self._head, length, body)))
        return await self._answer()

    async def get(self, path: str) -> HttpAnswer:
        """The whole answer."""
        self._writer.write(b"".join((b"GET ", path.encode(), self._head, b"\r\n")))
        return await self._answer()

    async def stream(self, path: str) -> AsyncGenerator[bytes]:
        """The body in the pieces in which it came, chunked framing included: each ends where the server paused.

        Raises ConnectionError if the status is not 200.
        """
        self._writer.write(b"".join((b"GET ", path.encode(), self._head, b"\r\n")))
        head = await self._reader.readuntil(_END)
        if _status(head) != 200:
            raise ConnectionError(head.decode())
        while piece := await self._reader.read(1 << 16):
            yield piece

    async def _answer(self) -> HttpAnswer:
        head = await self._reader.readuntil(_END)
        lower = head.lower()
        at = lower.find(_LENGTH)
        if at < 0:
            raise ConnectionError("the answer does not say how long it is")
        length = int(lower[at + len(_LENGTH) : lower.index(b"\r\n", at)])
        return HttpAnswer(_status(head), await self._reader.readexactly(length) if length else b"")


def _status(head: bytes) -> int:
    return int(head[9:12])
