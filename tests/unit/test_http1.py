"""Does the server read what was sent, and nothing else? Requests are fed in pieces, without a network."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from api.http1 import Http1

KIB = 1024


@dataclass
class Seen:
    """A request as the application saw it."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Client(asyncio.Transport):
    """The other end: keeps what it is told."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.said = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.said += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Reading(Http1):
    """Notes what it refuses."""

    refused: tuple[int, str] | None = None

    def malformed(self, status: int, message: str) -> None:
        self.refused = self.refused or (status, message)


@dataclass
class Read:
    """What became of the bytes."""

    seen: list[Seen]
    refused: tuple[int, str] | None
    said: bytes


async def read(*packets: bytes, answer: list[dict[str, Any]] | None = None) -> Read:
    """Feed ``packets`` to a connection; ``answer``: what the application says to each request."""
    seen: list[Seen] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        one = Seen(scope["method"], scope["path"], list(scope["headers"]), b"")
        seen.append(one)
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            one.body += message["body"]
            more = message["more_body"]
        for message in answer or [
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]},
            {"type": "http.response.body", "body": b"ok"},
        ]:
            await send(message)

    config = uvicorn.Config(app, ws="none", log_config=None)
    client = Client()
    connection = Reading(config, ServerState(), {})
    connection.connection_made(client)
    for packet in packets:
        connection.data_received(packet)
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    found = Read(seen, connection.refused, client.said)
    connection.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    return found


HEAD = b"POST /%d HTTP/1.1\r\nHost: x\r\n"
OFFERS = {
    "none": b"",
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
    "websocket": b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
}
#: A body that would be requests, were it not a body.
BODY = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" * 2
FRAMED = {
    "length": b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    "extended": b"Transfer-Encoding: Chunked\r\n\r\n%x;a=b;c\r\n%b\r\n0;d\r\n\r\n" % (len(BODY), BODY),
    "trailed": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nAuthorization: Bearer x\r\n%b\r\n"
    % (len(BODY), BODY, OFFERS["h2c"]),
}


@pytest.mark.parametrize("framed", FRAMED)
@pytest.mark.parametrize("offer", OFFERS)
async def test_a_body_is_a_body_wherever_the_packets_are_cut(offer: str, framed: str) -> None:
    sent = b"".join(HEAD % n + OFFERS[offer] + FRAMED[framed] for n in range(3))
    cuts = [1, 2, 7, 64, 200, 10_000, *(sent.find(b"\r\n\r\n") + n for n in range(6))]
    for size in cuts:
        packets = [sent[at : at + size] for at in range(0, len(sent), size)]
        found = await read(*packets)
        assert [(one.path, one.body) for one in found.seen] == [(f"/{n}", BODY) for n in range(3)], size
        assert all(name != b"authorization" for one in found.seen for name, _ in one.headers)
        assert found.refused is None
        assert found.said.count(b"HTTP/1.1 200") == 3


async def test_an_offer_leaves_the_other_headers_alone() -> None:
    plain = await read(HEAD % 1 + b"X-A: b, c\r\nX-A: \xe9\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", b"a")
    offering = await read(
        HEAD % 1
        + b"X-A: b, c\r\n"
        + OFFERS["websocket"]
        + b"X-A: \xe9\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        b"a",
    )
    assert [header for header in offering.seen[0].headers if header[0] != b"connection"] == plain.seen[0].headers
    assert plain.said == offering.said
    assert plain.said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
        HEAD % 1 + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD % 1 + OFFERS["h2c"] + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /1 HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD % 1 + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        HEAD % 1 + OFFERS["h2c"] + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        HEAD % 1 + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        HEAD % 1 + b"Transfer-Encoding: identity\r\n\r\n",
    ],
)
async def test_framing_that_two_could_read_in_two_ways_is_refused(head: bytes) -> None:
    found = await read(head)
    assert (found.seen, found.refused) == ([], (400, "malformed HTTP request"))


@pytest.mark.parametrize("kib", [65, 100, 255])
@pytest.mark.parametrize("before", [b"", HEAD % 0 + b"\r\n"])
async def test_a_long_head_is_refused_also_in_one_packet(before: bytes, kib: int) -> None:
    long = HEAD % 1 + b"X: " + b"y" * kib * KIB + b"\r\n"
    for packets in (
        [before + long + b"\r\n"],
        [before + long, b"\r\n"],
        [before, *(long[n : n + 5000] for n in range(0, len(long), 5000))],
    ):
        found = await read(*packets)
        assert found.refused == (431, "the request headers are too large")
        assert [one.path for one in found.seen] == (["/0"] if before else [])


async def test_a_head_within_the_limit_is_read_whatever_it_comes_with() -> None:
    head = HEAD % 1 + b"X: " + b"y" * 60 * KIB + b"\r\nContent-Length: 200000\r\n\r\n"
    for packets in (
        [head + b"z" * 200_000 + HEAD % 2 + b"\r\n"],
        [head[:5000], head[5000:], b"z" * 200_000, HEAD % 2 + b"\r\n"],
    ):
        found = await read(*packets)
        assert found.refused is None
        assert [(one.path, len(one.body)) for one in found.seen] == [("/1", 200_000), ("/2", 0)]


async def test_extensions_of_chunks_count() -> None:
    def chunk(extension: int, data: bytes = b"a") -> bytes:
        return b"%x;%b\r\n%b\r\n" % (len(data), b"e" * extension, data)

    head = HEAD % 1 + b"Transfer-Encoding: chunked\r\n\r\n"
    for packets in (
        [head, *[chunk(1000)] * 100],
        [head + chunk(1000) * 100],
        [head, b"1;" + b"e" * 70_000],
        [head, *[b"1;" + b"e" * 60_000] * 2],
    ):
        found = await read(*packets)
        assert found.refused is not None
        assert found.refused[0] in (400, 413)
    assert (await read(head, *[chunk(1000)] * 100)).refused == (413, "the body has more chunk framing than content")
    small = await read(head, b"1\r\na\r\n" * 100_000, b"0\r\n\r\n")
    assert (small.refused, small.seen[0].body) == (None, b"a" * 100_000)
    assert (await read(head, *[chunk(100, b"a" * 100)] * 2000, b"0\r\n\r\n")).refused is None


async def test_trailers_count() -> None:
    head = HEAD % 1 + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    assert (await read(head, *[b"X: " + b"y" * 1000 + b"\r\n"] * 100)).refused == (
        413,
        "the body has more chunk framing than content",
    )


STREAM: list[dict[str, Any]] = [
    {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]},
    {"type": "http.response.body", "body": b"one ", "more_body": True},
    {"type": "http.response.body", "body": b"two", "more_body": True},
    {"type": "http.response.body", "body": b"", "more_body": False},
]


@pytest.mark.parametrize("length", [None, b"7"])
async def test_http_1_0_is_not_answered_in_chunks(length: bytes | None) -> None:
    answer = [dict(message) for message in STREAM]
    if length is not None:
        answer[0]["headers"] = [*answer[0]["headers"], (b"Content-Length", length)]
    found = await read(b"GET / HTTP/1.0\r\n\r\n", answer=answer)
    head, _, body = found.said.partition(b"\r\n\r\n")
    assert body == b"one two"
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head
    newer = await read(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", answer=STREAM)
    assert newer.said.endswith(b"\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_http_1_0_to_head_and_without_a_body() -> None:
    head = await read(b"HEAD / HTTP/1.0\r\n\r\n", answer=STREAM)
    assert head.said.partition(b"\r\n\r\n")[2] == b""
    empty = await read(
        b"GET / HTTP/1.0\r\n\r\n",
        answer=[{"type": "http.response.start", "status": 204}, {"type": "http.response.body"}],
    )
    assert empty.said == b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
