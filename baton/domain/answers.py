"""Whether what a person says obeys a JSON Schema: an answer its question's, edited arguments their tool's."""

import json
import math
from typing import Final

from baton.domain.answer_rules import AnswerRule, BadSchema, rule_of
from baton.domain.conversation import Question
from baton.domain.json import JsonObject, JsonValue, deeper_than

#: What a caller is told of at most.
_PROBLEMS: Final = 5
_CHARACTERS: Final = 300
#: What judging an answer may cost (`AnswerRule.weight` for each character, some 10 ns): 0.1 s.
_MAX_COST: Final = 10_000_000
#: Finding out what is wrong costs up to a hundred times as much as that something is.
_MAX_COST_TO_EXPLAIN: Final = 100_000
#: Deeper than any schema can look.
_MAX_DEPTH: Final = 100


def problems(question: Question, text: str) -> tuple[str, ...]:
    """What is wrong with ``text`` as an answer: nothing where the text itself, or the JSON that it holds, is valid.

    Takes some 0.2 s at most, whatever the schema and the text; a text that would take longer is refused.
    """
    if question.schema is None:
        return ()
    try:
        rule = rule_of(question.schema)
    except BadSchema as error:
        return (f"answer: nothing can be checked against the question's schema: {error}",)
    longest = _MAX_COST // rule.weight
    if len(text) > longest:
        return (f"answer: it is longer than the {longest} characters that this question's schema allows for",)
    try:
        if rule.validator.is_valid(text):
            return ()
    except UnicodeEncodeError:
        return ("answer: it contains a lone surrogate",)
    value = _value(text)
    if deeper_than(value, _MAX_DEPTH):
        return ("answer: it is nested too deep",)
    if rule.validator.is_valid(value):
        return ()
    return _explained(rule, value, len(text))


def argument_problems(schema: JsonObject, arguments: JsonObject) -> tuple[str, ...]:
    """What is wrong with ``arguments`` as those of a tool whose JSON Schema is ``schema``, at the same cost at most.

    Nothing where they cannot be judged by it: then the tool itself does, when it is called.
    """
    try:
        rule = rule_of(schema)
    except BadSchema:
        return ()
    characters = len(json.dumps(arguments, ensure_ascii=False))
    if characters > (longest := _MAX_COST // rule.weight):
        return (f"arguments: they are longer than the {longest} characters that the tool's schema allows for",)
    return () if rule.validator.is_valid(arguments) else _explained(rule, arguments, characters, "arguments")


def json_problems(schema: JsonObject, text: str) -> tuple[JsonValue, tuple[str, ...]]:
    """The JSON that ``text`` is, and what is wrong with it by ``schema``, at the same cost at most."""
    try:
        rule = rule_of(schema)
    except BadSchema as error:
        return None, (f"nothing can be checked against the schema: {error}",)
    if len(text) > (longest := _MAX_COST // rule.weight):
        return None, (f"it is longer than the {longest} characters that the schema allows for",)
    value = _value(text)
    if value is text:
        return None, ("it is not JSON",)
    if deeper_than(value, _MAX_DEPTH):
        return None, ("it is nested too deep",)
    return value, () if rule.validator.is_valid(value) else _explained(rule, value, len(text), "result")


def _explained(rule: AnswerRule, value: JsonValue, characters: int, what: str = "answer") -> tuple[str, ...]:
    if rule.weight * characters > _MAX_COST_TO_EXPLAIN:
        return (f"{what}: not valid by the schema",)
    errors = sorted(rule.validator.iter_errors(value), key=lambda error: list(map(str, error.instance_path)))
    return tuple(
        f"{_shortened('/'.join(map(str, error.instance_path))) or what}: {_shortened(error.message)}"
        for error in errors[:_PROBLEMS]
    )


def _value(text: str) -> JsonValue:
    """The JSON that ``text`` holds; itself where it holds none, or what cannot be told apart from none.

    That is: numbers that no number type can hold (`NaN`, `1e400`), lone surrogates, and what is nested without end.
    """
    try:
        value: JsonValue = json.loads(text, parse_constant=_number, parse_float=_number, parse_int=_number)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, OverflowError, RecursionError):
        return text
    return value


def _number(digits: str) -> int | float:
    """Raises ValueError or OverflowError for what is no finite number."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return int(digits) if digits.lstrip("-").isdigit() else number


def _shortened(message: str) -> str:
    """A validator's message, or the path to what it is about: both repeat an answer, which may be long."""
    return message if len(message) <= _CHARACTERS else message[: _CHARACTERS - 1] + "…"
