"""Between the bodies of events and the JSON that the log has of them."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, get_args
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError

from baton.domain.events import Body, KnownBody, MessageWithdrawn, NewEvent, TaskResumed, TurnEnded, Unknown
from baton.domain.json import JsonObject, JsonValue

T = TypeVar("T")
#: The class of each type.
CLASSES: Final[dict[str, type[KnownBody]]] = {body.type: body for body in get_args(KnownBody)}

#: What only older code wrote.
_OLDER: Final[dict[type[KnownBody], tuple[str, ...]]] = dict.fromkeys(
    (TurnEnded, MessageWithdrawn, TaskResumed), ("questions", "approvals")
)


def _reader(shape: type[T]) -> Callable[[JsonValue], T]:
    return TypeAdapter(shape).validator.validate_python


_BODIES: Final = {name: _reader(body) for name, body in CLASSES.items()}


def encode(event: NewEvent) -> JsonObject:
    """What the log stores of an event beside its type and its states."""
    data = _json_of(event.body)
    for name in _OLDER.get(type(event.body), ()):
        if not data[name]:
            del data[name]
    return data


def decode(type: str, data: JsonObject) -> Body:
    """The body of an event. Fields that are not known here are left alone; what does not fit its type is `Unknown`."""
    read = _BODIES.get(type)
    if read is None:
        return Unknown(type, data)
    try:
        return read(data)
    except ValidationError:
        return Unknown(type, data)


def _json_of(value: object) -> Any:
    return orjson.loads(orjson.dumps(value, default=_text_of_uuid))


def _text_of_uuid(value: object) -> str:
    """asyncpg has a uuid type of its own, which orjson does not know."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
