"""Live readers: what somebody who follows a stream gets to see, and how often it had to be resumed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from httpx_sse import ServerSentEvent, SSEError, aconnect_sse

from baton.client.log import read_entry
from baton.domain.events import Event
from baton.verify.door import Door

_SILENCE_SECONDS = 20.0  #: the server says something every 15 s
_AGAIN_SECONDS = 0.3
_LOOK_AGAIN_SECONDS = 1.0  #: after the execution's end, which a message may undo


@dataclass(slots=True)
class Reader:
    """Follows an execution's log, by nothing but the stream and its cursor.

    ``seen`` is everything that came, also what came twice or out of order; ``holes`` are the places where the server
    itself said that something is missing.
    """

    door: Door
    execution_id: str
    nth: int = 0
    seen: list[Event] = field(default_factory=list[Event])
    holes: list[str] = field(default_factory=list[str])
    resumed: int = 0

    async def follow(self) -> None:
        """Follow until cancelled: past the end, too, since a message may reopen the execution."""
        while True:
            ended = await self._connection()
            self.resumed += not ended
            await asyncio.sleep(_LOOK_AGAIN_SECONDS if ended else _AGAIN_SECONDS)

    async def catch_up(self, last: int, seconds: float) -> None:
        """Read on until event ``last`` has come, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                while not self.seen or self.seen[-1].seq < last:
                    await self._connection(last)
                    await asyncio.sleep(0 if self.seen and self.seen[-1].seq >= last else _AGAIN_SECONDS)
        except TimeoutError:  # what is missing will be seen to be missing
            return

    async def _connection(self, last: int | None = None) -> bool:
        """Read one connection to its end, or to event ``last``. Whether the server said that the execution is over."""
        self.nth += 1
        headers = {"Last-Event-ID": str(self.seen[-1].seq)} if self.seen else {}
        try:
            async with aconnect_sse(
                self.door.client(self.nth),
                "GET",
                f"/baton/v1/executions/{self.execution_id}/events",
                headers=headers,
                timeout=httpx.Timeout(_SILENCE_SECONDS, connect=2.0),
            ) as source:
                if not source.response.is_success:
                    self.door.failures[f"stream {source.response.status_code}"] += 1
                    return False
                async for frame in source.aiter_sse():
                    if frame.event == "end":
                        return True
                    self._take(frame)
                    if last is not None and self.seen and self.seen[-1].seq >= last:
                        return False
        except (httpx.TransportError, SSEError) as error:
            self.door.failures[f"stream {type(error).__name__}"] += 1
        return False

    def _take(self, frame: ServerSentEvent) -> None:
        if frame.event == "gap":
            self.holes.append(frame.data)
        elif frame.data:
            self.seen.append(read_entry(frame.data).event)


async def read_log(door: Door, execution_id: str, last: int, nth: int = 0) -> Sequence[Event]:
    """An execution's log from its beginning up to event ``last``, read anew; shorter if that does not come."""
    reader = Reader(door, execution_id, nth)
    await reader.catch_up(last, door.patience_seconds)
    return [event for event in reader.seen if event.seq <= last]
