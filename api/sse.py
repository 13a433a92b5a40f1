"""Server-sent events from an execution's log, or a part of it.

Who reconnects after an end frame, as browsers do by themselves, gets a 204 while there is nothing new.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final, cast
from uuid import UUID

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.access import CREDENTIALS, still_counts
from api.connection import ABORT
from api.frames import END, Cursor, Encoder, Frame, encode_event, encode_frame
from api.routing import HEAD_ONLY
from baton.domain.agents import Principal
from baton.domain.errors import CursorExpired, InvalidInput
from baton.domain.events import Event
from baton.domain.states import TaskState
from baton.service.context import Baton
from baton.service.feed import OVER, Subscription
from baton.service.topics import Sending
from baton.service.visibility import SeenExecution, SeenTask, find_execution, find_log

#: How long to wait before reading on after an end that was none any more.
_AGAIN_SECONDS: Final = 0.1
#: How long the end of a stream that has become too old may take.
_END_SECONDS: Final = 5.0
_KEEP_ALIVE: Final = b": keep-alive\n\n"
#: Many read the same log: what was encoded a moment ago is kept for the others, a megabyte per log at most.
_SHARED_FRAMES: Final = 256
_SHARED_BYTES: Final = 4096
#: So much is given to a connection at once, and the next when the client has read on.
_PIECE_BYTES: Final = 64 * 1024
_NOTHING: Final = Sending(b"")
_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


async def open_stream(
    baton: Baton,
    who: Principal,
    of: UUID | SeenTask,
    cursor: Cursor,
    encoder: Encoder,
    *,
    snapshot: str,
    task_id: UUID | None = None,
    ends: Collection[TaskState] = OVER,
) -> Response:
    """Follow an execution's log from ``cursor`` until all tasks are over; with ``task_id``, until that task is in one
    of the states that it ``ends`` with. A 204 for who has seen the end, and nothing has come since.

    ``of``: the execution's id, or a task in it: then it is the ``encoder`` that shows no more than the caller may see.

    Events that are gone for good become a `gap` frame, with ``snapshot``: the path where the present state can be read.
    Raises `ExecutionNotFound`, `InvalidInput` for a cursor from the future, `RateLimited` for a stream too many, and
    `Unavailable`.
    """
    execution = (await find_log(baton, of))[0] if isinstance(of, SeenTask) else await find_execution(baton, who, of)
    baton.streams.open(who)
    try:
        response = await _open(baton, who, execution, cursor, encoder, snapshot, task_id, ends)
    except BaseException:
        baton.streams.closed(who)
        raise
    if not isinstance(response, EventStream):
        baton.streams.closed(who)
    return response


async def _open(
    baton: Baton,
    who: Principal,
    execution: SeenExecution,
    cursor: Cursor,
    encoder: Encoder,
    snapshot: str,
    task_id: UUID | None,
    ends: Collection[TaskState],
) -> Response:
    gap: Frame | None = None
    try:
        subscription = await baton.feed.subscribe(execution, cursor.after, task_id=task_id, ends=ends)
    except CursorExpired as expired:
        if expired.oldest > cursor.seq + 1:
            gap = _gap(expired.oldest, snapshot)
        subscription = await baton.feed.subscribe(execution, cursor.after, task_id=task_id, ends=ends, over_gap=True)
    if cursor.seq > subscription.began_at:
        subscription.close()
        raise InvalidInput("the cursor is beyond the end of the log", ("header", "Last-Event-ID"))
    if cursor.is_end and await _is_still_over(subscription, encoder, cursor):
        subscription.close()
        return Response(status_code=204)
    return EventStream(subscription, encoder, cursor, baton, who, snapshot, gap)


def _gap(oldest: int, snapshot: str) -> Frame:
    """Events before ``oldest`` are missing; those that are not come all the same."""
    return "gap", {"oldest": oldest, "snapshot": snapshot}


async def _is_still_over(subscription: Subscription, encoder: Encoder, cursor: Cursor) -> bool:
    if encoder.chapter is None:
        return subscription.began_over and cursor.seq == subscription.began_at
    end = await encoder.chapter.end()
    return end is not None and 0 < end[1] <= cursor.seq


class EventStream(Response):
    """Answers a request with a subscription, and closes it. The headers go out at once.

    Whether the reader's credentials still count is asked as often as a silent stream speaks.
    """

    def __init__(
        self,
        subscription: Subscription,
        encoder: Encoder,
        cursor: Cursor,
        baton: Baton,
        who: Principal,
        snapshot: str,
        first: Frame | None = None,
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._subscription = subscription
        self._encoder = encoder
        self._cursor = cursor
        self._settings = baton.settings
        self._baton = baton
        self._close = partial(baton.streams.closed, who)
        self._snapshot = snapshot
        self._first = first
        self._is_live = False
        self._last: tuple[Frame, int] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the log ends, the client goes away, or the connection has become too old."""
        watcher = asyncio.create_task(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if HEAD_ONLY in scope:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            retry = f"retry: {round(self._settings.stream_retry_seconds * 1000)}\n\n"
            async with asyncio.timeout(self._settings.stream_max_seconds + _END_SECONDS):
                chapter = self._encoder.chapter
                opening = (chapter and chapter.begin, self._first)
                await _say(send, retry.encode() + b"".join(self._frame(frame) for frame in opening if frame))
                if not await self._settle(send, (False, False)):
                    await self._pump(send, cast("str", scope[CREDENTIALS]))
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            # The client has not read for so long that even the end cannot be written.
            scope["extensions"][ABORT]()
            await watcher
        finally:
            watcher.cancel()
            self._subscription.close()
            self._close()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.close()

    async def _pump(self, send: Send, token: str) -> None:
        now = time.monotonic
        silent_since = checked_at = now()
        ends_at = silent_since + self._settings.stream_max_seconds
        while now() < ends_at:
            if now() >= checked_at + self._settings.stream_keepalive_seconds:
                checked_at = now()
                if not await still_counts(self._baton, token):
                    break
            speaks_at = silent_since + self._settings.stream_keepalive_seconds
            events = await self._subscription.read(min(speaks_at, ends_at) - now())
            if events is None:
                if self._subscription.ended is None:
                    break
                if frame := await self._end():
                    await _say(send, self._frame(frame, self._subscription.reached))
                    return
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if gap := self._subscription.take_gap():
                await _say(send, self._frame(_gap(gap, self._snapshot)))
            news = self._news(events)
            if await self._say_all(send, events):
                silent_since = now()
            elif now() >= speaks_at:
                await _say(send, _KEEP_ALIVE)
                silent_since = now()
            if await self._settle(send, news):
                return
        if self._encoder.cut is not None:
            await _say(send, self._frame(self._encoder.cut()))

    async def _say_all(self, send: Send, events: list[Event]) -> bool:
        """Say what happened; whether there was anything to say.

        ``events`` is emptied on the way: while the client does not read, what is still to be encoded is held, and what
        is being sent, which it shares with all who send the same.
        """
        events.reverse()
        pieces: list[bytes] = []
        size, said = 0, False
        while events:
            sending = await self._encode(events.pop())
            if size + len(sending.data) > _PIECE_BYTES and pieces:
                await _say(send, b"".join(pieces))
                pieces, size, said = [], 0, True
            if len(sending.data) > _PIECE_BYTES:
                whole = memoryview(sending.data)
                for at in range(0, len(whole), _PIECE_BYTES):
                    await _say(send, bytes(whole[at : at + _PIECE_BYTES]))
                said = True
            elif sending.data:
                pieces.append(sending.data)
                size += len(sending.data)
        if pieces:
            await _say(send, b"".join(pieces))
        return said or bool(pieces)

    def _news(self, events: Sequence[Event]) -> tuple[bool, bool]:
        """Whether ``events`` have the last of the chapter, and one with which it may have ended."""
        chapter = self._encoder.chapter
        if chapter is None:
            return False, False
        return any(map(chapter.is_last, events)), any(map(chapter.may_end, events))

    async def _settle(self, send: Send, news: tuple[bool, bool]) -> bool:
        """After events of a chapter: say where the past ends, and end the stream where the chapter ends."""
        chapter, reached = self._encoder.chapter, self._subscription.reached
        if chapter is None:
            return False
        is_told, may_end = news
        turns_live = not self._is_live and (is_told or reached >= self._subscription.began_at)
        if turns_live:
            self._is_live = True
            await _say(send, self._frame(chapter.live))
        if self._is_live and self._last is None and (turns_live or may_end):
            self._last = await chapter.end()
        if self._last is None or not (is_told or reached >= self._last[1]):
            return False
        await _say(send, self._frame(self._last[0], self._last[1]))
        return True

    def _frame(self, frame: Frame, end: int = 0) -> bytes:
        """A frame that is no event's. ``end``: the number of the event after which it ends the stream."""
        return encode_frame(f"{end}.{END}" if end else None, frame, named=self._encoder.named)

    async def _end(self) -> Frame | None:
        end = self._encoder.end(self._subscription)
        return end if isinstance(end, tuple) else await end

    async def _encode(self, event: Event) -> Sending:
        execution_id = self._subscription.execution_id
        if event.seq < self._cursor.seq:
            return _NOTHING
        if self._encoder.tells_waiting:
            event = await self._subscription.with_waiting(event)
        if event.seq == self._cursor.seq:
            return Sending(encode_event(self._encoder, execution_id, event, skip=self._cursor.index + 1))
        made, key = self._subscription.made, (self._encoder.name + (":pruned" if event.pruned else ""), event.seq)
        if (frames := made.get(key)) is not None:
            return Sending(frames)
        sending = self._subscription.sending.get(key)
        if sending is None:
            sending = self._subscription.sending[key] = Sending(encode_event(self._encoder, execution_id, event))
            if len(sending.data) <= _SHARED_BYTES:
                if len(made) >= _SHARED_FRAMES:
                    made.clear()
                made[key] = sending.data
        return sending


async def _say(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
