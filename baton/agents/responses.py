"""A model's reply as JSON, as it is kept in the transcript and given back to the model."""

from typing import Any, Final, cast

from pydantic import TypeAdapter
from pydantic_ai.messages import (
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

from baton.domain.json import JsonObject, JsonValue, unstorable, unstorable_text

_ADAPTER: Final = TypeAdapter(ModelResponse)

_KEPT_PARTS: Final = (TextPart, ThinkingPart, ToolCallPart, NativeToolCallPart, NativeToolReturnPart)

# What no provider needs to get back: time and usage are recorded beside the reply, the rest is pydantic-ai's own.
_LEFT_OUT: Final = {
    "timestamp": True,
    "usage": True,
    "kind": True,
    "state": True,
    "run_id": True,
    "conversation_id": True,
    "workspace_ref": True,
    "history_digest": True,
    "failed_attempts": True,
}


def encoded(response: ModelResponse) -> JsonObject:
    """``response`` as JSON that PostgreSQL can hold. Empty text and parts that no model reads again are left out."""
    response.parts = [part for part in response.parts if isinstance(part, _KEPT_PARTS) and part != TextPart("")]
    return cast(
        "JsonObject", storable(_ADAPTER.dump_python(response, mode="json", exclude=_LEFT_OUT, exclude_none=True))
    )


def decoded(response: JsonObject) -> ModelResponse:
    """The reply that `encoded` made ``response`` from."""
    return _ADAPTER.validate_python(response)


def storable(value: Any) -> JsonValue:
    """JSON ``value``, repaired where PostgreSQL or UTF-8 could not hold it: models and tools are not asked twice."""
    return value if unstorable(value) is None else _repaired(value)


def storable_text(text: str) -> str:
    """``text`` with U+FFFD for each NUL and lone surrogate; a pair of surrogates becomes what it stands for."""
    if unstorable_text(text) is None:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _repaired(value: Any) -> JsonValue:
    match value:
        case str():
            return storable_text(value)
        case dict():
            items = cast("JsonObject", value).items()
            return {storable_text(key): _repaired(item) for key, item in items}
        case list():
            return [_repaired(item) for item in cast("list[JsonValue]", value)]
        case int() | float() if not isinstance(value, bool) and unstorable(value) is not None:
            return str(value)
        case _:
            return cast("JsonValue", value)
