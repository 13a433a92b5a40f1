"""HTTP as bytes: a client that sends whatever it is given, and reads answers strictly."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlparse

_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. The body of a stream is not read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_stream(self) -> bool:
        """Whether it is one that would go on."""
        return self.headers.get("content-type", "").startswith("text/event-stream")


class NoReply(Exception):
    """The server ended the connection without an answer, or with one that is no HTTP."""


class Wire:
    """One connection at a time, opened again when the server has closed it."""

    def __init__(self, url: str) -> None:
        where = urlparse(url)
        self._address = where.hostname, where.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes, *, method: str) -> Reply:
        """Send a request, read its answer. Raises `NoReply`."""
        async with asyncio.timeout(_SECONDS):
            for fresh in (False, True):
                was_open = self._streams is not None
                if self._streams is None:
                    self._streams = await asyncio.open_connection(*self._address)
                try:
                    return await self._ask(*self._streams, request, method)
                except (ConnectionError, asyncio.IncompleteReadError) as error:
                    self.close()
                    if fresh or not was_open:  # one that was kept open may be closed at any time
                        raise NoReply(type(error).__name__) from error
        raise NoReply("unreachable")

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, method: str
    ) -> Reply:
        writer.write(request)
        reply = await read_reply(reader, method)
        if reply.is_stream or reply.headers.get("connection") == "close" or len(request) > 1_000_000:
            self.close()
        return reply


async def read_reply(reader: asyncio.StreamReader, method: str) -> Reply:
    """The next answer on a connection. Raises `NoReply`, and what streams raise when they end."""
    version, status, _ = (await reader.readuntil(b"\r\n")).split(b" ", 2)
    if version != b"HTTP/1.1":
        raise NoReply(f"not HTTP: {version!r}")
    headers: dict[str, str] = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if status == b"100":
        return await read_reply(reader, method)
    reply = Reply(int(status), headers, b"")
    if reply.is_stream or method == "HEAD" or reply.status in (204, 304):
        return reply
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    elif "content-length" not in headers:
        raise NoReply(f"{status!r} does not say how long it is: {headers}")
    else:
        body = await reader.readexactly(int(headers["content-length"]))
    return Reply(reply.status, headers, body)


def request_bytes(method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes | None) -> bytes:
    """A request. ``target`` and header values are sent as they are, in Latin-1."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")
