"""Lists of domain values, as jsonb columns hold them."""

from collections.abc import Iterable
from typing import Any, Final, Generic, TypeVar

import orjson
from pydantic import TypeAdapter

from baton.domain.approvals import Approval
from baton.domain.conversation import Attachment, Question, ToolCall
from baton.domain.json import JsonObject
from baton.domain.views import MetadataAt

T = TypeVar("T")


class Codec(Generic[T]):
    """Between values of a frozen class and JSON objects, by the names of its fields.

    Fields with defaults may be missing from a row, which older code wrote; fields of newer code are left alone.
    """

    def __init__(self, shape: type[T]) -> None:
        self._read = TypeAdapter(shape).validator.validate_python

    def read(self, items: Iterable[JsonObject]) -> tuple[T, ...]:
        """The values of a row."""
        return tuple(self._read(item) for item in items)

    def write(self, values: Iterable[T]) -> list[JsonObject]:
        """What a row holds of ``values``."""
        return [self.write_one(value) for value in values]

    def write_one(self, value: T) -> JsonObject:
        """What a row holds of one value."""
        written: Any = orjson.loads(orjson.dumps(value))
        return written


def wanted_metadata(metadata: MetadataAt | None) -> list[dict[str, object]] | None:
    """What the queries' part `has_metadata` takes; None for all."""
    if not metadata:
        return None
    return [{"path": path, "value": value} for path, value in metadata.items()]


QUESTIONS: Final = Codec(Question)
APPROVALS: Final = Codec(Approval)
ATTACHMENTS: Final = Codec(Attachment)
CALLS: Final = Codec(ToolCall)
