"""Server-sent events, as a client sees them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from httpx_sse import aconnect_sse


@dataclass(frozen=True)
class Seen:
    """A frame, as a client sees it. ``id``: "" where the frame had none of its own."""

    id: str
    event: str
    data: Any


@asynccontextmanager
async def frames(
    http: httpx.AsyncClient, path: str, cursor: str | None = None, **query: str
) -> AsyncGenerator[AsyncGenerator[Seen]]:
    """Follow a stream."""
    headers = {} if cursor is None else {"Last-Event-ID": cursor}
    async with aconnect_sse(http, "GET", path, headers=headers, params=query) as source:
        assert source.response.status_code == 200, await source.response.aread()

        async def follow() -> AsyncGenerator[Seen]:
            last = ""
            async for frame in source.aiter_sse():
                if frame.data:
                    yield Seen("" if frame.id == last else frame.id, frame.event, orjson.loads(frame.data))
                    last = frame.id

        yield follow()


async def everything(http: httpx.AsyncClient, path: str, cursor: str | None = None, **query: str) -> list[Seen]:
    """All frames until the server ends the stream."""
    async with asyncio.timeout(20), frames(http, path, cursor, **query) as stream:
        return [frame async for frame in stream]
