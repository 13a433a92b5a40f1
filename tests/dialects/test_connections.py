"""Does a connection end by itself, whatever the other end does, and is every refusal in the dialect's words?"""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlparse
from uuid import UUID

import psutil
import pytest

from api import connection as connections
from api import sse
from tests.dialects.requests import start_task
from tests.support.api import RunningApi, delta, running_api

QUICK = {"header_timeout_seconds": 0.4, "body_timeout_seconds": 0.6}


@pytest.fixture(scope="module")
async def quick_api(shared_database_url: str) -> AsyncGenerator[RunningApi]:
    """An API that is short of patience."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
        patch.setattr(connections, "KEEP_ALIVE_SECONDS", 2)
        patch.setattr(sse, "_END_SECONDS", 0.5)
        async with running_api(shared_database_url, stream_max_seconds=1, **QUICK) as running:
            yield running


@asynccontextmanager
async def connected(api: RunningApi) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    where = urlparse(api.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        yield reader, writer
    finally:
        writer.close()


def head(api: RunningApi, method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {api.key}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send ``data`` over and over, a piece now and then, until nobody takes it any more."""
    try:
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.05)
    except OSError:
        return


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """All that the server says until it ends the connection."""
    said = b""
    async with asyncio.timeout(20):
        while True:
            try:
                piece = await reader.read(65536)
            except ConnectionResetError:
                return said
            if not piece:
                return said
            said += piece


def parsed(answer: bytes) -> tuple[int, Any]:
    """An answer's status and its JSON."""
    top, _, body = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body)


#: A path of each dialect's, and where its errors have the message.
PATHS: dict[str, Callable[[Any], str]] = {
    "/baton/v1/executions": lambda error: error["detail"],
    "/api/v1/tasks/plan/execute": lambda error: error["detail"],
    "/v1/chat/tasks": lambda error: error["error"]["message"],
    "/elsewhere": lambda error: error["detail"],
}


@pytest.mark.parametrize("path", PATHS)
async def test_headers_that_do_not_end(quick_api: RunningApi, path: str) -> None:
    async with connected(quick_api) as (reader, writer):
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode())
        trickling = asyncio.create_task(trickle(writer, b"X: y\r\n"))
        status, error = parsed(await until_closed(reader))
        await trickling
    assert status == 408
    assert "headers" in PATHS[path](error)


@pytest.mark.parametrize("path", PATHS)
async def test_headers_that_are_too_long(quick_api: RunningApi, path: str) -> None:
    async with connected(quick_api) as (reader, writer):
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nX: ".encode())
        writer.write(b"y" * 400_000)
        status, error = parsed(await until_closed(reader))
    assert status == 431
    assert "headers" in PATHS[path](error)


async def test_others_are_served_while_many_take_their_time(quick_api: RunningApi) -> None:
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(quick_api)) for _ in range(200)]
        for number, (_, writer) in enumerate(slow):
            body = head(
                quick_api, "POST", "/baton/v1/executions", "Content-Length: 9", "Content-Type: application/json"
            )
            writer.write(body[:-2] if number % 2 else body + b"{")
        await start_task(quick_api.http)
        said = await asyncio.gather(*(until_closed(reader) for reader, _ in slow))
    # One whose first byte came late, because we were slow, is ended without a word.
    assert {parsed(answer)[0] for answer in said if answer} == {408}


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_who_asks_nothing_is_not_kept(quick_api: RunningApi, sent: bytes) -> None:
    async with connected(quick_api) as (reader, writer):
        trickling = asyncio.create_task(trickle(writer, sent))
        assert await until_closed(reader) == b""
        trickling.cancel()


@pytest.mark.parametrize("sent", [b"\r\n", b""])
async def test_who_asks_nothing_more_is_not_kept(quick_api: RunningApi, sent: bytes) -> None:
    async with connected(quick_api) as (reader, writer):
        writer.write(head(quick_api, "GET", "/baton/v1/executions"))
        trickling = asyncio.create_task(trickle(writer, sent))
        assert b" 200 " in await until_closed(reader)
        trickling.cancel()


@pytest.mark.parametrize("framing", ["Content-Length: 99999", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/baton/v1/executions", "/api/v1/tasks/plan/execute", "/v1/chat/tasks"])
async def test_a_body_that_does_not_end(quick_api: RunningApi, path: str, framing: str) -> None:
    async with connected(quick_api) as (reader, writer):
        writer.write(head(quick_api, "POST", path, framing, "Content-Type: application/json"))
        trickling = asyncio.create_task(trickle(writer, b"1\r\n{\r\n"))
        status, error = parsed(await until_closed(reader))
        trickling.cancel()
    assert status == 408
    assert "body" in PATHS[path](error)


async def test_the_rest_of_a_body_that_nobody_wants_is_not_waited_for(quick_api: RunningApi) -> None:
    async with connected(quick_api) as (reader, writer):
        writer.write(head(quick_api, "POST", "/baton/v1/executions", "Content-Length: 99999", "Content-Type: x/y"))
        trickling = asyncio.create_task(trickle(writer, b"{"))
        assert b" 415 " in await until_closed(reader)
        trickling.cancel()


async def test_a_body_of_50_mb_is_refused_without_keeping_it(quick_api: RunningApi) -> None:
    async with connected(quick_api) as (reader, writer):
        writer.write(
            head(
                quick_api,
                "POST",
                "/baton/v1/executions",
                "Transfer-Encoding: chunked",
                "Content-Type: application/json",
            )
        )
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for _ in range(800):
            writer.write(piece)
            await writer.drain()
        writer.write(b"0\r\n\r\n" + head(quick_api, "GET", "/health"))
        said = await until_closed(reader)
    assert b"HTTP/1.1 413" in said
    assert b"HTTP/1.1 200" in said, "the connection is as good as before"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"\xff\xfe\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client's hello
    ],
)
async def test_what_is_no_http(quick_api: RunningApi, garbage: bytes) -> None:
    async with connected(quick_api) as (reader, writer):
        writer.write(garbage)
        status, error = parsed(await until_closed(reader))
    assert status == 400
    assert error["detail"]
    assert (await quick_api.http.get("/health")).status_code == 200


@pytest.mark.parametrize("path", ["/baton/v1/executions", "/api/v1/tasks/plan/execute", "/v1/chat/tasks"])
async def test_a_target_that_is_refused_is_still_its_dialects(quick_api: RunningApi, path: str) -> None:
    body = b'{"a": "' + b"x" * 1000 + b'"}'
    refused = f"GET {path}/\xe9 HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1")
    async with connected(quick_api) as (reader, writer):
        writer.write(head(quick_api, "POST", "/health", f"Content-Length: {len(body)}") + body[:10])
        async with asyncio.timeout(10):
            while (await reader.readline()) not in (b"\r\n", b""):
                pass
        writer.write(body[10:] + refused)
        said = await until_closed(reader)
    status, error = parsed(b"HTTP/1.1 400" + said.partition(b"HTTP/1.1 400")[2])
    assert status == 400
    assert PATHS[path](error)


async def test_garbage_after_requests_waits_for_their_answers(quick_api: RunningApi) -> None:
    ask = head(quick_api, "GET", "/baton/v1/executions?limit=1")
    async with connected(quick_api) as (reader, writer):
        writer.write(ask * 5 + b"\x00garbage\r\n\r\n" + ask)
        said = (await until_closed(reader)).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in said] == [b"200"] * 5 + [b"400"]
    assert all(json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in said)


async def test_garbage_after_a_stream_began_does_not_get_into_it(quick_api: RunningApi) -> None:
    execution = (await start_task(quick_api.http))["id"]
    async with connected(quick_api) as (reader, writer):
        writer.write(head(quick_api, "GET", f"/baton/v1/executions/{execution}/events") + b"\x00garbage\r\n\r\n")
        said = await until_closed(reader)
    stream, _, refusal = said.partition(b"\r\n0\r\n\r\n")
    assert b"event: execution.created" in stream
    assert b"garbage" not in said
    assert b" 400 " not in stream
    assert refusal.startswith(b"HTTP/1.1 400")


async def test_too_many_requests_before_an_answer(quick_api: RunningApi) -> None:
    ask = head(quick_api, "GET", "/baton/v1/executions?limit=1")
    async with connected(quick_api) as (reader, writer):
        writer.write(ask * 1000)
        said = (await until_closed(reader)).split(b"HTTP/1.1 ")[1:]
    statuses = [answer[:3] for answer in said]
    assert statuses[-1] == b"400"
    assert set(statuses[:-1]) == {b"200"}
    assert 1 <= len(statuses[:-1]) < 100


async def test_a_stream_does_not_let_requests_pile_up(quick_api: RunningApi) -> None:
    execution = (await start_task(quick_api.http))["id"]
    async with connected(quick_api) as (reader, writer):
        writer.write(head(quick_api, "GET", f"/baton/v1/executions/{execution}/events"))
        for _ in range(100):
            writer.write(head(quick_api, "GET", "/health") * 10)
            await asyncio.sleep(0)
        assert (await until_closed(reader)).count(b"HTTP/1.1 200") <= 1 + 16


@pytest.mark.parametrize("path", ["/baton/v1/executions", "/api/v1/tasks/plan/execute", "/v1/chat/tasks"])
async def test_a_body_whose_framing_breaks_stores_nothing(api: RunningApi, path: str) -> None:
    before = (await api.http.get("/baton/v1/executions")).json()
    async with connected(api) as (reader, writer):
        writer.write(head(api, "POST", path, "Transfer-Encoding: chunked", "Content-Type: application/json"))
        await writer.drain()
        writer.write(b'10\r\n{"prompt": "a"}  \r\nzz\r\n')
        status, error = parsed(await until_closed(reader))
    assert status == 400
    assert PATHS[path](error)
    assert (await api.http.get("/baton/v1/executions")).json() == before


async def test_a_request_is_answered_once_even_if_its_framing_breaks_afterwards(quick_api: RunningApi) -> None:
    async with connected(quick_api) as (reader, writer):
        broken = ("Transfer-Encoding: chunked", "Content-Type: text/plain")
        writer.write(head(quick_api, "POST", "/baton/v1/executions", *broken))
        async with asyncio.timeout(10):
            assert b" 415 " in await reader.readline()
        writer.write(b"zz\r\n" * 10 + head(quick_api, "GET", "/health"))
        assert b"HTTP/1.1" not in await until_closed(reader)


async def test_an_upgrade_that_is_not_offered(quick_api: RunningApi) -> None:
    for protocol in ("websocket", "h2c"):
        async with connected(quick_api) as (reader, writer):
            writer.write(head(quick_api, "GET", "/health", "Connection: Upgrade", f"Upgrade: {protocol}"))
            assert b" 200 " in await until_closed(reader)
        async with connected(quick_api) as (reader, writer):
            more = (
                "Connection: Upgrade",
                f"Upgrade: {protocol}",
                "Content-Length: 2",
                "Content-Type: application/json",
            )
            writer.write(head(quick_api, "POST", "/baton/v1/executions", *more) + b"{}")
            status = (await until_closed(reader)).split()[1]
            assert status[:1] == b"4"


async def test_a_stream_whose_reader_does_not_read_ends(quick_api: RunningApi) -> None:
    await not_read(quick_api)


async def test_a_stream_whose_reader_does_not_read_grows_no_older_than_others(
    shared_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_END_SECONDS", 0.5)
    async with running_api(shared_database_url, stream_max_seconds=1) as api:
        await not_read(api)


async def not_read(api: RunningApi) -> None:
    """Begin to follow a log, read nothing, and have the server end that."""
    execution = await start_task(api.http)
    task = UUID(execution["tasks"][0]["id"])
    for n in range(100):  # before it is followed: a stream of little that has grown old ends as it should
        await api.append(execution["id"], delta(f"{n:05}" * 20_000, task), positions={task: 1})
    where = urlparse(api.url)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect((where.hostname, where.port))
    topics = api.app.state.baton.feed._topics
    with stuck:
        stuck.sendall(head(api, "GET", f"/baton/v1/executions/{execution['id']}/events"))
        async with asyncio.timeout(20):
            while UUID(execution["id"]) not in topics:
                await asyncio.sleep(0.01)
            while UUID(execution["id"]) in topics:
                await asyncio.sleep(0.05)
        said = await asyncio.to_thread(rest, stuck)
    assert len(said) < 10_000_000, "what it has not read is not kept for it"
    assert not said.endswith(b"\r\n0\r\n\r\n")


async def test_an_answer_that_nobody_reads_is_dropped(quick_api: RunningApi) -> None:
    execution = await start_task(quick_api.http, "!say " + "x" * 3_000_000)
    where = urlparse(quick_api.url)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect((where.hostname, where.port))
    with stuck:
        stuck.sendall(head(quick_api, "GET", f"/baton/v1/executions/{execution['id']}") * 5)
        async with asyncio.timeout(30):
            while not _is_held(stuck):
                await asyncio.sleep(0.01)
            while _is_held(stuck):
                await asyncio.sleep(0.05)
        assert len(await asyncio.to_thread(rest, stuck)) < 14_000_000


def _is_held(connection: socket.socket) -> bool:
    """Whether the server, which runs in this process, still has its end of ``connection``."""
    ends = (connection.getpeername(), connection.getsockname())
    return any((one.laddr, one.raddr) == ends for one in psutil.Process().net_connections("tcp4"))


def rest(connection: socket.socket) -> bytes:
    """What can still be read: no more than the kernel has, once the server has dropped the rest."""
    connection.settimeout(10)
    said = bytearray()
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionResetError:
        pass
    return bytes(said)
