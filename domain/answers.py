"""Whether an answer obeys its question's JSON Schema."""

import json
import math
from functools import lru_cache
from typing import Final

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import SchemaRegistry

from domain.conversation import Question
from domain.json import JsonObject, JsonValue

#: What a caller is told of at most.
_PROBLEMS: Final = 5
_CHARACTERS: Final = 300
#: Knows no other documents, and fetches none.
_NOTHING_REMOTE: Final[SchemaRegistry] = Registry()


def problems(question: Question, text: str) -> tuple[str, ...]:
    """What is wrong with ``text`` as an answer: nothing where the text itself, or the JSON that it holds, is valid."""
    if question.schema is None:
        return ()
    validator = _validator(json.dumps(question.schema, sort_keys=True))
    if validator.is_valid(text):
        return ()
    try:
        errors = sorted(validator.iter_errors(_value(text)), key=lambda error: list(map(str, error.absolute_path)))
    except RecursionError:
        return ("answer: it is nested too deep",)
    return tuple(
        f"{'/'.join(map(str, error.absolute_path)) or 'answer'}: {_shortened(error.message)}"
        for error in errors[:_PROBLEMS]
    )


def _value(text: str) -> JsonValue:
    """The JSON that ``text`` holds; itself where it holds none, or such as no number type can hold (`NaN`, `1e400`)."""
    try:
        return json.loads(text, parse_constant=_number, parse_float=_number, parse_int=_number)
    except (ValueError, OverflowError):
        return text


def _number(digits: str) -> int | float:
    """Raises ValueError or OverflowError for what is no finite number."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return int(digits) if digits.lstrip("-").isdigit() else number


def _shortened(message: str) -> str:
    """A validator's message, which repeats what it is about: an answer may be long."""
    return message if len(message) <= _CHARACTERS else message[: _CHARACTERS - 1] + "…"


@lru_cache(maxsize=256)
def _validator(schema: str) -> Draft202012Validator:
    parsed: JsonObject = json.loads(schema)
    return Draft202012Validator(parsed, registry=_NOTHING_REMOTE)
