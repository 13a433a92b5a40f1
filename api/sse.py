"""Server-sent events from an execution's log.

A dialect's frames are a pure function of one event, so that a stream can be cut and resumed anywhere. A frame's id is
`seq` for the first that an event makes, `seq.1` for the next, and so on; a cursor names the last frame that was seen.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.access import CREDENTIALS
from api.connection import ABORT
from api.responses import to_json
from baton.domain.agents import Principal
from baton.domain.errors import CursorExpired, InvalidInput, Unauthenticated, Unavailable
from baton.domain.events import Event
from baton.domain.json import INT64_MAX
from baton.domain.states import TaskState
from baton.service.context import Baton
from baton.service.feed import OVER, Subscription

#: A frame: its event's name, and its data.
Frame: TypeAlias = tuple[str, Mapping[str, object]]

_CURSOR: Final = re.compile(r"(\d{1,19})(?:\.(\d{1,4}))?")
#: How long to wait before reading on after an end that was none any more.
_AGAIN_SECONDS: Final = 0.1
#: How long the end of a stream that has become too old may take.
_END_SECONDS: Final = 5.0
_KEEP_ALIVE: Final = b": keep-alive\n\n"
#: Many read the same log: what was encoded a moment ago is kept for the others, a megabyte per log at most.
_SHARED_FRAMES: Final = 256
_SHARED_BYTES: Final = 4096
_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last frame that a client has seen: frame ``index`` of event ``seq``. (0, 0) is before the first."""

    seq: int = 0
    index: int = 0

    @property
    def after(self) -> int:
        """The event to read on from: the named one is read again, since more of its frames may be due."""
        return max(self.seq - 1, 0)


def cursor_of(request: Request, *query_names: str) -> Cursor:
    """Where a client wants to resume: the header `Last-Event-ID`, else one of the query's parameters, else the start.

    Raises `InvalidInput`.
    """
    given = request.headers.get("last-event-id")
    where = ("header", "Last-Event-ID")
    for name in query_names:
        if not given:
            given, where = request.query_params.get(name), ("query", name)
    if not given:
        return Cursor()
    found = _CURSOR.fullmatch(given.strip()) if given.isascii() else None
    if found is None or int(found[1]) > INT64_MAX:
        raise InvalidInput("the cursor is not one that this stream gave", where)
    return Cursor(int(found[1]), int(found[2] or 0))


@dataclass(frozen=True, slots=True)
class Chapter:
    """What a stream follows that is a part of the log: it says where the past ends, and may end before the log does.

    ``begin`` is the first frame of a connection, ``live`` the one after all that was in the log when it began.
    ``is_last``: whether no event after this one is of the chapter. ``may_end``: whether the chapter may have ended with
    an event; ``end`` is asked then, and when the stream turns live: None while it goes on, else the end frame and the
    number of the event with which the chapter is over at the latest.
    """

    begin: Frame
    live: Frame
    is_last: Callable[[Event], bool]
    may_end: Callable[[Event], bool]
    end: Callable[[], Awaitable[tuple[Frame, int] | None]]


@dataclass(frozen=True, slots=True)
class Encoder:
    """How a dialect writes events. ``name`` tells encoders apart, also those of different tasks' streams.

    ``frames`` gives an event's frames, none where the dialect has no word for it; ``end`` the end frame of a
    subscription that has come to its end, None if the log has gone on since; ``cut`` the last frame of a connection
    that the server ends before, None where the dialect has no word for that. ``named``: whether a frame's name stands
    in a line of its own; if not it is the data's `type`. ``chapter``: the part of the log that is followed, None for
    all.
    """

    name: str
    frames: Callable[[UUID, Event], Sequence[Frame]]
    end: Callable[[Subscription], Frame | Awaitable[Frame | None]]
    cut: Callable[[], Frame] | None = None
    named: bool = True
    chapter: Chapter | None = None


async def open_stream(
    baton: Baton,
    who: Principal,
    execution_id: UUID,
    cursor: Cursor,
    encoder: Encoder,
    *,
    snapshot: str,
    task_id: UUID | None = None,
    ends: Collection[TaskState] = OVER,
) -> "EventStream":
    """Follow an execution's log from ``cursor`` until all tasks are over; with ``task_id``, until that task is in one
    of the states that it ``ends`` with.

    Events that are gone for good become a `gap` frame, with ``snapshot``: the path where the present state can be read.
    Raises `ExecutionNotFound`, `InvalidInput` for a cursor from the future, and `Unavailable`.
    """
    gap: Frame | None = None
    try:
        subscription = await baton.feed.subscribe(who, execution_id, cursor.after, task_id=task_id, ends=ends)
    except CursorExpired as expired:
        if expired.oldest > cursor.seq + 1:
            gap = "gap", {"oldest": expired.oldest, "snapshot": snapshot}
        subscription = await baton.feed.subscribe(who, execution_id, expired.oldest - 1, task_id=task_id, ends=ends)
    if cursor.seq > subscription.began_at:
        subscription.close()
        raise InvalidInput("the cursor is beyond the end of the log", ("header", "Last-Event-ID"))
    return EventStream(subscription, encoder, cursor, baton, gap)


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
        first: Frame | None = None,
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._subscription = subscription
        self._encoder = encoder
        self._cursor = cursor
        self._settings = baton.settings
        self._authenticator = baton.authenticator
        self._first = first
        self._is_live = False
        self._last: tuple[Frame, int] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the log ends, the client goes away, or the connection has become too old."""
        watcher = asyncio.create_task(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            retry = f"retry: {round(self._settings.stream_retry_seconds * 1000)}\n\n"
            async with asyncio.timeout(self._settings.stream_max_seconds + _END_SECONDS):
                chapter = self._encoder.chapter
                opening = (chapter and chapter.begin, self._first)
                await _say(send, retry.encode() + b"".join(self._frame(frame) for frame in opening if frame))
                if not await self._settle(send, ()):
                    await self._pump(send, cast("str", scope[CREDENTIALS]))
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            # The client has not read for so long that even the end cannot be written.
            scope["extensions"][ABORT]()
            await watcher
        finally:
            watcher.cancel()
            self._subscription.close()

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
                if not await self._still_counts(token):
                    break
            speaks_at = silent_since + self._settings.stream_keepalive_seconds
            events = await self._subscription.read(min(speaks_at, ends_at) - now())
            if events is None:
                if self._subscription.ended is None:
                    break
                if frame := await self._end():
                    await _say(send, self._frame(frame))
                    return
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            data = b"".join(map(self._encode, events))
            if not data and now() >= speaks_at:
                data = _KEEP_ALIVE
            if data:
                await _say(send, data)
                silent_since = now()
            if await self._settle(send, events):
                return
        if self._encoder.cut is not None:
            await _say(send, self._frame(self._encoder.cut()))

    async def _still_counts(self, token: str) -> bool:
        """Whether the reader may go on: a key may have been revoked since, a token have expired."""
        try:
            await self._authenticator.authenticate(token)
        except Unauthenticated:
            return False
        except Unavailable:
            return True  # nobody is sent away because the database is; it is asked again
        return True

    async def _settle(self, send: Send, events: Sequence[Event]) -> bool:
        """After ``events`` of a chapter: say where the past ends, and end the stream where the chapter ends."""
        chapter, reached = self._encoder.chapter, self._subscription.reached
        if chapter is None:
            return False
        is_told = any(map(chapter.is_last, events))
        turns_live = not self._is_live and (is_told or reached >= self._subscription.began_at)
        if turns_live:
            self._is_live = True
            await _say(send, self._frame(chapter.live))
        if self._is_live and self._last is None and (turns_live or any(map(chapter.may_end, events))):
            self._last = await chapter.end()
        if self._last is None or not (is_told or reached >= self._last[1]):
            return False
        await _say(send, self._frame(self._last[0]))
        return True

    def _frame(self, frame: Frame) -> bytes:
        return encode_frame(None, frame, named=self._encoder.named)

    async def _end(self) -> Frame | None:
        end = self._encoder.end(self._subscription)
        return end if isinstance(end, tuple) else await end

    def _encode(self, event: Event) -> bytes:
        execution_id = self._subscription.execution_id
        if event.seq <= self._cursor.seq:
            if event.seq < self._cursor.seq:
                return b""
            return encode_event(self._encoder, execution_id, event, skip=self._cursor.index + 1)
        made, key = self._subscription.made, (self._encoder.name, event.seq)
        frames = made.get(key)
        if frames is None:
            frames = encode_event(self._encoder, execution_id, event)
            if len(frames) <= _SHARED_BYTES:
                if len(made) >= _SHARED_FRAMES:
                    made.clear()
                made[key] = frames
        return frames


def encode_event(encoder: Encoder, execution_id: UUID, event: Event, *, skip: int = 0) -> bytes:
    """An event's frames, without the first ``skip``."""
    frames = encoder.frames(execution_id, event)
    return b"".join(
        encode_frame(f"{event.seq}.{index}" if index else str(event.seq), frame, named=encoder.named)
        for index, frame in enumerate(frames)
        if index >= skip
    )


def encode_frame(frame_id: str | None, frame: Frame, *, named: bool = True) -> bytes:
    """One frame on the wire. Its name is the data's `type` unless it is ``named`` in a line of its own."""
    name, data = frame
    head = "" if frame_id is None else f"id: {frame_id}\n"
    if named:
        head += f"event: {name}\n"
    else:
        data = {"type": name, **data}
    return f"{head}data: ".encode() + to_json(data) + b"\n\n"


async def _say(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
