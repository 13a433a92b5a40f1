"""Frames of server-sent events, and their ids.

A dialect's frames are a pure function of one event, so that a stream can be cut and resumed anywhere. A frame's id is
`seq` for the first that an event makes, `seq.1` for the next, and so on; a cursor names the last frame that was seen.
An end frame has the id `seq.9999`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from starlette.requests import Request

from api.responses import to_json_line
from baton.domain.errors import InvalidInput
from baton.domain.events import Event
from baton.domain.json import INT64_MAX
from baton.service.feed import Subscription

#: A frame: its event's name, and its data.
Frame: TypeAlias = tuple[str, Mapping[str, object]]

#: The index of an end frame, after all that an event can make.
END: Final = 9999
_CURSOR: Final = re.compile(r"(\d{1,19})(?:\.(\d{1,4}))?")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last frame that a client has seen: frame ``index`` of event ``seq``. (0, 0) is before the first."""

    seq: int = 0
    index: int = 0

    @property
    def after(self) -> int:
        """The event to read on from: the named one is read again, since more of its frames may be due."""
        return max(self.seq - 1, 0)

    @property
    def is_end(self) -> bool:
        """Whether the frame was one with which a stream ended."""
        return self.index == END


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
        raise InvalidInput("the cursor was not issued by this stream", where)
    return Cursor(int(found[1]), int(found[2] or 0))


@dataclass(frozen=True, slots=True)
class Chapter:
    """What a stream follows that is a part of the log: it says where the past ends, and may end before the log does.

    ``begin`` is the first frame of a connection, ``live`` the one after all that was in the log when it began.
    ``is_last``: whether no event after this one is of the chapter. ``may_end``: whether the chapter may have ended with
    an event; ``end`` is asked then, and when the stream turns live: None while it goes on, else the end frame and the
    number of the event with which the chapter is over at the latest (0: what ended it was no event).
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
    all. ``tells_waiting``: whether ``frames`` shows what is asked, or all tasks that wait once an execution waits: that
    is looked up.
    """

    name: str
    frames: Callable[[UUID, Event], Sequence[Frame]]
    end: Callable[[Subscription], Frame | Awaitable[Frame | None]]
    cut: Callable[[], Frame] | None = None
    named: bool = True
    chapter: Chapter | None = None
    tells_waiting: bool = False


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
    return f"{head}data: ".encode() + to_json_line(data) + b"\n\n"
