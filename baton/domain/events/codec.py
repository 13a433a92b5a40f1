"""Between the bodies of events and the JSON that the log has of them."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, get_args
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError

from baton.domain.events import Body, KnownBody, NewEvent, Unknown
from baton.domain.json import JsonObject, JsonValue

T = TypeVar("T")
#: The class of each type.
CLASSES: Final[dict[str, type[KnownBody]]] = {body.type: body for body in get_args(KnownBody)}


def _reader(shape: type[T]) -> Callable[[JsonValue], T]:
    return TypeAdapter(shape).validator.validate_python


_BODIES: Final = {name: _reader(body) for name, body in CLASSES.items()}


def encode(event: NewEvent) -> JsonObject:
    """What the log stores of an event beside its type and its states."""
    return _json_of(event.body)


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
