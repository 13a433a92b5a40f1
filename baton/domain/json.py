"""JSON as Python has it, and what Baton accepts of it."""

from typing import Annotated, TypeAlias

from pydantic import GetPydanticSchema
from pydantic_core.core_schema import any_schema, dict_schema

#: JSON of any shape. It comes from a parser, so codecs take it as it is, however deep, and never walk it.
JsonValue: TypeAlias = Annotated[
    "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None",
    GetPydanticSchema(lambda _, __: any_schema()),
]
JsonObject: TypeAlias = Annotated[dict[str, JsonValue], GetPydanticSchema(lambda _, __: dict_schema())]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def unstorable(value: JsonValue) -> str | None:
    """Why PostgreSQL or a UTF-8 answer could not hold ``value``: None where nothing speaks against it.

    PostgreSQL's text has no NUL, UTF-8 has no lone surrogates, and integers beyond 64 bits do not survive other
    parsers. Walks without recursion, so depth is no danger.
    """
    pending: list[JsonValue] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if reason := unstorable_text(item):
                return reason
        elif isinstance(item, bool) or item is None:
            continue
        elif isinstance(item, int):
            if not INT64_MIN <= item <= INT64_MAX:
                return "a number is outside 64 bits"
        elif isinstance(item, float):
            if item != item or item in (float("inf"), float("-inf")):
                return "a number is not finite"
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        else:
            pending.extend(item)
    return None


def unstorable_text(text: str) -> str | None:
    """Why ``text`` could not be stored, or None."""
    if "\x00" in text:
        return "text contains NUL (U+0000)"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "text contains a lone surrogate"
    return None


def deeper_than(value: JsonValue, levels: int) -> bool:
    """Whether objects and arrays in ``value`` are nested more than ``levels`` deep. Walks without recursion."""
    holders: list[JsonValue] = [value]
    for _ in range(levels + 1):
        holders = [item for holder in holders for item in _held(holder) if isinstance(item, dict | list)]
        if not holders:
            return False
    return True


def _held(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
