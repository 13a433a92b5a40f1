"""An execution's events as one stream, whatever happens to the connections that carry it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import httpx
from httpx_sse import SSEError, aconnect_sse

from baton.client.errors import Unreachable
from baton.client.http import Client
from baton.client.log import Entry, read_entry
from baton.client.responses import refusal

#: The server says something at least every 15 s; a connection that is silent for longer is dead.
_SILENCE_SECONDS: Final = 45.0
_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 5.0


async def follow(
    client: Client,
    execution_id: str,
    *,
    after: int = 0,
    give_up_seconds: float | None = None,
    on_connection: Callable[[str | None], None] = lambda _: None,
    pause_seconds: float | None = None,
) -> AsyncGenerator[Entry]:
    """Events of an execution with seq > ``after``, then live: each exactly once, in order. None is missing but what the
    server says is pruned.

    A connection that breaks, or that the server ends, is resumed after the last event that was seen. ``on_connection``
    hears the reason when the connection is lost, and None when it is back. Ends with the server's end frame: then the
    execution is over. ``pause_seconds`` replaces the pause that the server asks for.

    Raises Refused (no such execution, no right to read it), and Unreachable once the server was away for
    ``give_up_seconds`` (None: never).
    """
    reader = _Reader(after, _PAUSE_SECONDS if pause_seconds is None else pause_seconds, fixed=pause_seconds is not None)
    lost_since: float | None = None
    failures = 0
    while True:
        reason: Exception | None = None
        try:
            async with aclosing(reader.read(client, execution_id)) as entries:
                async for entry in entries:
                    if lost_since is not None:
                        lost_since, failures = None, 0
                        on_connection(None)
                    if entry is not None:
                        yield entry
        except (httpx.TransportError, SSEError, Unreachable) as error:
            reason = error
        if reader.ended:
            return
        if reason is None:  # the server ends connections now and then, in good order
            await asyncio.sleep(reader.pause_seconds)
            continue
        now = time.monotonic()
        if lost_since is None:
            lost_since = now
            on_connection(_in_words(reason))
        if give_up_seconds is not None and now - lost_since > give_up_seconds:
            raise reason if isinstance(reason, Unreachable) else client.unreachable(reason) from reason
        await asyncio.sleep(min(reader.pause_seconds * 2**failures, _LONGEST_PAUSE_SECONDS))
        failures = min(failures + 1, 8)


def _in_words(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "the server does not answer"
    return "the connection broke" if isinstance(error, httpx.TransportError) else str(error)


class _Reader:
    """Reads one connection after the other, and knows how far it has come."""

    def __init__(self, after: int, pause_seconds: float, *, fixed: bool) -> None:
        self.seen = after
        self.ended = False
        self.pause_seconds = pause_seconds
        self._fixed = fixed
        self._whole_from = 0

    async def read(self, client: Client, execution_id: str) -> AsyncGenerator[Entry | None]:
        """The new events of one connection; None once it stands. Returns when the connection ends."""
        async with aconnect_sse(
            client.http,
            "GET",
            f"/baton/v1/executions/{execution_id}/events",
            headers={"Last-Event-ID": str(self.seen)},
            timeout=httpx.Timeout(_SILENCE_SECONDS, connect=5.0),
        ) as source:
            response = source.response
            if not response.is_success:
                await response.aread()
                if response.status_code >= 500 or response.status_code == 429:
                    raise Unreachable(f"the server answered {response.status_code}")
                raise refusal(response)
            yield None
            async for frame in source.aiter_sse():
                if frame.retry is not None and not self._fixed:
                    self.pause_seconds = frame.retry / 1000
                if frame.event == "end":
                    self.ended = True
                    return
                if frame.event == "gap":
                    self._whole_from = max(self._whole_from, int(frame.json()["oldest"]))
                if not frame.data or not frame.id:  # a comment, a hint to the client
                    continue
                entry = read_entry(frame.data)
                seq = entry.event.seq
                if seq <= self.seen:
                    continue
                if seq != self.seen + 1 and seq > self._whole_from:
                    raise SSEError(f"event {self.seen + 1} is missing before event {seq}")
                self.seen = seq
                yield entry
