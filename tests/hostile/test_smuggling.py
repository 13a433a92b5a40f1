"""Is what arrives what was sent, request by request, straight and through the proxies that people put in front?

Every request is one of a few on its connection, and most could be taken for more than one: they offer an upgrade, have
trailers, headers given twice, bodies that look like requests. What the application is asked is written down at its
door and compared with what was sent.
"""

import asyncio
import itertools
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlparse
from uuid import UUID

import pytest

from tests.dialects.requests import start_task
from tests.hostile.entrance import ROUTES, Entrance
from tests.hostile.wire import read_reply
from tests.support.api import RunningApi

OFFERS: Final = {
    "none": (),
    "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
    "websocket": ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
}
FRAMINGS: Final = ("length", "chunked", "extended", "trailed")
#: How often a header of one value is given and whether the values are the same, and what the body is.
CONTENTS: Final = (("once", "message"), ("once", "requests"), ("same", "message"), ("different", "requests"))
#: How the bytes are cut: all at once, heads before bodies, one request after the other's answer, in small pieces.
CUTS: Final = ("at once", "body later", "in turn", "pieces")
_PER_CONNECTION: Final = 2
_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Sent:
    """A request as it is sent, and what should become of it."""

    name: str
    head: bytes
    framed: bytes
    body: bytes
    status: int


def make(api: RunningApi, path: str, name: str, offer: str, framing: str, twice: str, kind: str) -> Sent:
    """A request that sends the message ``name``."""
    body = json.dumps({"text": name}).encode()
    if kind == "requests":
        body = f"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\nPOST {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    keys = {"once": [name], "same": [name, name], "different": [name, f"{name}?"]}[twice]
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {api.key}",
        "Content-Type: application/json",
        f"X-Name: {name}",
        *(f"Idempotency-Key: {key}" for key in keys),
        *OFFERS[offer],
        f"Content-Length: {len(body)}" if framing == "length" else "Transfer-Encoding: chunked",
    ]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    trailers = f'Authorization: Bearer {api.other_key}\r\nIf-Match: "9999"\r\nIdempotency-Key: x\r\nX-Name: x\r\n'
    framed = {
        "length": body,
        "chunked": b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:]),
        "extended": b"%x;a=b;c\r\n%b\r\n0;d\r\n\r\n" % (len(body), body),
        "trailed": b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers.encode()),
    }[framing]
    return Sent(name, head, framed, body, 400 if twice == "different" else 202 if kind == "message" else 422)


async def exchange(url: str, requests: Sequence[Sent], cut: str) -> list[int]:
    """Send requests over one connection; the statuses that were answered until the other end closed it."""
    where = urlparse(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    statuses: list[int] = []

    async def read(count: int) -> None:
        for _ in range(count):
            reply = await read_reply(reader, "POST")
            statuses.append(reply.status)

    async def say(data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.01)  # a packet of its own, most of the time; whatever is cut otherwise is no less right

    try:
        async with asyncio.timeout(_SECONDS):
            match cut:
                case "at once":
                    writer.write(b"".join(one.head + one.framed for one in requests))
                    await read(len(requests))
                case "body later":
                    for one in requests:
                        await say(one.head)
                        await say(one.framed)
                    await read(len(requests))
                case "in turn":
                    for one in requests:
                        writer.write(one.head + one.framed)
                        await read(1)
                case _:
                    whole = b"".join(one.head + one.framed for one in requests)
                    for at in range(0, len(whole), 301):
                        await say(whole[at : at + 301])
                    await read(len(requests))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return statuses


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("route", ROUTES)
async def test_what_arrives_is_what_was_sent(entrance: Entrance, route: str, offer: str) -> None:
    url = entrance.url(route)
    api = await entrance.api.for_new_tenants()
    task = (await start_task(api.http))["tasks"][0]["id"]
    path = f"/baton/v1/tasks/{task}/messages"
    sent: list[Sent] = []
    for framing, (twice, kind), cut in itertools.product(FRAMINGS, CONTENTS, CUTS):
        case = f"{framing} {twice} {cut} {kind}"
        requests = [make(api, path, f"{case} {n}", offer, framing, twice, kind) for n in range(_PER_CONNECTION)]
        entrance.recorder.asked.clear()
        statuses = await exchange(url, requests, cut)
        asked = [(one.method, one.path, one.name) for one in entrance.recorder.asked]
        if twice == "different":
            # It is refused before its body is read; a proxy that has not sent all of that may close both connections.
            requests = requests[: len(asked)] if route != "direct" else requests
            assert statuses in ([one.status for one in requests[:n]] for n in range(1, len(requests) + 1)), case
        else:
            assert statuses == [one.status for one in requests], case
            assert [one.body for one in entrance.recorder.asked] == [one.body for one in requests], case
        assert asked == [("POST", path, one.name) for one in requests], case
        sent += requests
    assert await messages_of(api, task) == sorted(one.name for one in sent if one.status == 202)
    await api.close_clients()


async def messages_of(api: RunningApi, task: str) -> list[str]:
    """The texts of all messages that were stored for a task, by whomever."""
    async with api.pool.connection() as connection:
        rows: list[Any] = await connection.fetch("SELECT text FROM messages WHERE task_id = $1", UUID(task))
    return sorted(row["text"] for row in rows)


@pytest.mark.parametrize("route", ROUTES)
async def test_streams_come_through_and_end(entrance: Entrance, route: str) -> None:
    url = entrance.url(route)
    api = await entrance.api.for_new_tenants()
    execution = await start_task(api.http)
    assert (await api.http.post(f"/baton/v1/tasks/{execution['tasks'][0]['id']}/cancel")).status_code == 200
    path = f"/baton/v1/executions/{execution['id']}/events"
    for prefix, version in (("", "1.1"), ("", "1.0"), *([("/plain", "1.1")] if route == "nginx" else [])):
        where = urlparse(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        head = (
            f"GET {prefix}{path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\nConnection: close\r\n"
        )
        writer.write((head + "\r\n").encode())
        async with asyncio.timeout(_SECONDS):
            said = await reader.read(-1)
        writer.close()
        answer, _, body = said.partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        assert (b"chunked" in answer.lower()) == (version == "1.1"), answer
        assert body.count(b"event: end\n") == 1
        assert body.startswith(b"retry: ") == (version == "1.0")
    await api.close_clients()
