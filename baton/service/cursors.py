"""Cursors of lists: opaque text that says where a page ended."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar
from uuid import UUID

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from baton.domain.errors import InvalidInput
from baton.domain.json import INT64_MAX, INT64_MIN

Place = TypeVar("Place", bound=tuple[object, ...])

#: Where a page ended, by time; things of one time by their ids.
TIME_AND_ID: Final = TypeAdapter(tuple[datetime, UUID])
#: Where a page ended, by number.
NUMBER: Final = TypeAdapter(tuple[Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]])
#: The same, where numbers begin at 0.
COUNT: Final = TypeAdapter(tuple[Annotated[int, Field(ge=0, le=INT64_MAX)]])
#: The same, where they begin at 1.
ORDINAL: Final = TypeAdapter(tuple[Annotated[int, Field(ge=1, le=INT64_MAX)]])
_Count = Annotated[int, Field(ge=0, le=INT64_MAX)]
#: Where a page of a task's timeline ended: a message's number, a step's two, a call's three.
TIMELINE: Final = TypeAdapter(tuple[_Count, _Count, _Count, _Count, _Count, _Count])

_LONGEST: Final = 400


def encode_cursor(*place: object) -> str:
    """Where a page ended, as text that is safe in a URL. Takes what JSON has, datetimes and uuids."""
    return base64.urlsafe_b64encode(orjson.dumps(place, default=str)).rstrip(b"=").decode()


def decode_cursor(cursor: str, kind: TypeAdapter[Place], parameter: str = "cursor") -> Place:
    """The place that a cursor names. Raises `InvalidInput`, naming the query's ``parameter``, for what no list gave."""
    try:
        if len(cursor) > _LONGEST:
            raise ValueError("too long")
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = kind.validate_json(text)
        for part in place:
            if isinstance(part, datetime):
                part.astimezone(UTC)  # what is no time in UTC is none in PostgreSQL
        return place
    except (ValueError, OverflowError, binascii.Error, ValidationError) as error:
        raise InvalidInput("the cursor was not issued by this list", ("query", parameter)) from error
