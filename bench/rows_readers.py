"""Thousands of clients that follow one execution: how long until the last of them has an event, and what each costs."""

import asyncio
import re
import resource
import time
from datetime import datetime
from typing import Final, cast

import psutil

from bench.report import Row, milliseconds, percentile
from bench.stack import BenchStack
from bench.targets import ASK, BenchTask, Caller, start_tasks, until_ended

_SIDE_BY_SIDE: Final = 50
_ACCEPTED: Final = b'"message.accepted"'
_AT: Final = re.compile(rb'"type":"message\.accepted","at":"([^"]+)"')
_SETTLED_SECONDS: Final = 1.0


class _Reader(asyncio.Protocol):
    """A client as light as can be: it notes when an accepted message came, and keeps the frame."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.opened = asyncio.get_running_loop().create_future()
        self.heard: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        cast("asyncio.WriteTransport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self.opened.set_result(data.startswith(b"HTTP/1.1 200"))
        if _ACCEPTED in data:
            self.heard.append((time.time(), data))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_result(False)


async def measure(stack: BenchStack, count: int, messages: int) -> list[Row]:
    """``count`` readers of one execution, to whose task ``messages`` are sent one after the other."""
    (task,) = await start_tasks(stack, 1)
    await stack.analyze()
    api = psutil.Process(stack.parts["api"].pid)
    before = api.memory_info().rss
    readers = await _open(stack, task, count)
    await asyncio.sleep(_SETTLED_SECONDS)
    each = (api.memory_info().rss - before) / count
    caller, lags = await Caller.open(stack), list[float]()
    for n in range(messages + 1):
        for reader in readers:
            reader.heard.clear()
        await until_ended(stack.marks, task, lambda: caller.send(task, ASK))
        await asyncio.sleep(_SETTLED_SECONDS)
        if n:  # the first only warms up
            lags += _lags(readers)
    caller.close()
    for reader in readers:
        reader.transport.close()
    what = f"with {count} readers"
    late = percentile(lags, 99)
    return [
        Row(
            "readers_lag",
            f"event written → all readers have it, p99, {what}",
            late,
            "s",
            0.3,
            None,
            (milliseconds("the same", lags), milliseconds("the same", lags, 100)),
        ),
        Row("readers_memory", f"API's memory for each reader, {what}", each / 1024, "KB", 30),
    ]


async def _open(stack: BenchStack, task: BenchTask, count: int) -> list[_Reader]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files[0], min(count + 500, files[1])), files[1]))
    slots = asyncio.Semaphore(_SIDE_BY_SIDE)
    request = (
        f"GET /baton/v1/executions/{task.execution}/events HTTP/1.1\r\nHost: bench\r\n"
        f"Authorization: Bearer {stack.api_key}\r\n\r\n"
    ).encode()

    async def one() -> _Reader:
        async with slots:
            loop = asyncio.get_running_loop()
            _, reader = await loop.create_connection(lambda: _Reader(request), "127.0.0.1", stack.api_port)
            assert await reader.opened, "a reader was refused"
            return reader

    return await asyncio.gather(*(one() for _ in range(count)))


def _lags(readers: list[_Reader]) -> list[float]:
    """Seconds from when the message was accepted until each reader had that. Raises if one has not."""
    lags: list[float] = []
    for reader in readers:
        ((at, data),) = reader.heard
        found = _AT.search(data)
        assert found, "the frame has another form"
        lags.append(at - datetime.fromisoformat(found[1].decode()).timestamp())
    return lags
