"""A question's JSON Schema as a rule for answers: checked once, and of known cost whatever is answered.

Answers are judged while a request waits, and agents write schemas that strangers can talk them into. So a rule is
refused unless its cost is bounded: patterns run in linear time (no look-around, no back-references), no reference leads
back to where it came from, and the schema with its references written out is small.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import jsonschema_rs
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, SchemaRegistry

from baton.domain.json import JsonObject, JsonValue, deeper_than

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MAX_DEPTH: Final = 32
_MAX_CHARACTERS: Final = 65_536
_MAX_VALUES: Final = 1_000
_MAX_WEIGHT: Final = 10_000
_MAX_REFERENCES_DEEP: Final = 32
#: Against the weight of a plain keyword (some 10 ns for each character of an answer): measured with the slowest
#: patterns that the size limit below lets through, and with nested `unevaluated…`, which each judge anew.
_PATTERN_WEIGHT: Final = 300
_UNEVALUATED_FACTOR: Final = 4
_PATTERNS: Final = jsonschema_rs.RegexOptions(size_limit=65_536, dfa_size_limit=65_536)
_REMEMBERED: Final = 64
_MAX_MESSAGE: Final = 300
_UNEVALUATED: Final = ("unevaluatedItems", "unevaluatedProperties")
#: They lead elsewhere in ways that are not followed here, and no schema of this draft needs them.
_REFUSED: Final = ("$dynamicRef", "$recursiveRef", "dependencies")
#: Knows no other documents, and fetches none.
_NOTHING_REMOTE: Final[SchemaRegistry] = Registry()


class BadSchema(ValueError):
    """Answers cannot be checked against a schema; the message says why, for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """A schema that answers can be checked against.

    ``weight`` times an answer's characters is about what checking costs, in units of 10 ns.
    """

    validator: jsonschema_rs.Draft202012Validator
    weight: int


def rule_of(schema: JsonValue) -> AnswerRule:
    """The rule that a JSON Schema (draft 2020-12) makes. Raises `BadSchema`."""
    if deeper_than(schema, _MAX_DEPTH):
        raise BadSchema(f"it is nested more than {_MAX_DEPTH} deep")
    text = json.dumps(schema, sort_keys=True)
    if len(text) > _MAX_CHARACTERS:
        raise BadSchema(f"it is longer than {_MAX_CHARACTERS} characters")
    return _rule(text)


@lru_cache(maxsize=_REMEMBERED)
def _rule(text: str) -> AnswerRule:
    parsed: JsonValue = json.loads(text)
    if _values(parsed) > _MAX_VALUES:
        raise BadSchema(f"it has more than {_MAX_VALUES} values")
    _check_draft(parsed)
    _check_validity(parsed)
    weight = _weight(parsed)
    if weight > _MAX_WEIGHT:
        raise BadSchema("with its references written out and its patterns it is too large")
    try:
        validator = jsonschema_rs.Draft202012Validator(
            cast("Any", parsed), pattern_options=_PATTERNS, retriever=_fetch_nothing
        )
    except ValueError as error:
        raise BadSchema(f"it cannot be used (patterns must do without look-around): {_first_line(error)}") from error
    return AnswerRule(validator, weight)


def _check_draft(schema: JsonValue) -> None:
    if isinstance(schema, dict) and schema.get("$schema", _DIALECT) not in (_DIALECT, f"{_DIALECT}#"):
        raise BadSchema(f"it has to be a JSON Schema of draft 2020-12 ({_DIALECT})")


def _check_validity(schema: JsonValue) -> None:
    try:
        jsonschema_rs.meta.validate(cast("Any", _as_of_draft(schema)))
    except ValueError as error:
        raise BadSchema(f"it is no valid JSON Schema of draft 2020-12: {_first_line(error)}") from error


def _as_of_draft(schema: JsonValue) -> JsonValue:
    return {**schema, "$schema": _DIALECT} if isinstance(schema, dict) else schema


def _fetch_nothing(uri: str) -> Any:
    raise ValueError("nothing is fetched")


def _first_line(error: ValueError) -> str:
    message = error.message if isinstance(error, jsonschema_rs.ValidationError) else str(error)
    return message.partition("\n")[0][:_MAX_MESSAGE]


def _values(value: JsonValue) -> int:
    """How many JSON values ``value`` is made of, itself included."""
    count = 0
    pending: list[JsonValue] = [value]
    while pending:
        item = pending.pop()
        count += 1
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return count


def _weight(schema: JsonValue) -> int:
    """What the schema costs with all its references written out. Raises `BadSchema` for one that leads back."""
    known: dict[int, _Weight] = {}
    under_way: set[int] = set()

    def weigh(contents: JsonValue, resolver: Any) -> _Weight:
        if (done := known.get(id(contents))) is not None:
            return done
        if id(contents) in under_way:
            raise BadSchema("its references go in a circle; write out the levels that an answer may have")
        if len(under_way) >= _MAX_REFERENCES_DEEP:
            raise BadSchema(f"its references lead on to others more than {_MAX_REFERENCES_DEEP} times")
        under_way.add(id(contents))
        found = _Weight(_values(contents))
        for part, here in _parts(contents, resolver):
            _check_draft(part)
            found.patterns += _patterns(part)
            found.unevaluated += sum(keyword in part for keyword in _UNEVALUATED)
            for reference in _references(part):
                target = _resolved(reference, here)
                found.add(weigh(cast("JsonValue", target.contents), target.resolver))
        under_way.discard(id(contents))
        known[id(contents)] = found
        return found

    root: Resource[Any] = DRAFT202012.create_resource(cast("Any", schema))
    return weigh(schema, _NOTHING_REMOTE.resolver_with_root(root)).total()


@dataclass(slots=True)
class _Weight:
    """What a schema, or a part of it, is made of."""

    values: int
    patterns: int = 0
    unevaluated: int = 0

    def add(self, other: "_Weight") -> None:
        self.values += other.values
        self.patterns += other.patterns
        self.unevaluated += other.unevaluated

    def total(self) -> int:
        """Judging `unevaluated…` judges once more what stands beside it: nested, that multiplies."""
        plain = self.values + _PATTERN_WEIGHT * self.patterns
        return plain * _UNEVALUATED_FACTOR ** min(self.unevaluated, math.ceil(math.log2(_MAX_WEIGHT)))


def _parts(contents: JsonValue, resolver: Any) -> Iterator[tuple[JsonObject, Any]]:
    """A schema and all schemas in it, each with what looks references up from its place."""
    pending: list[tuple[Resource[Any], Any]] = [(DRAFT202012.create_resource(cast("Any", contents)), resolver)]
    while pending:
        resource, here = pending.pop()
        found = cast("JsonValue", resource.contents)
        if not isinstance(found, dict):
            continue
        yield found, here
        pending.extend((sub, here.in_subresource(sub)) for sub in resource.subresources())


def _patterns(part: JsonObject) -> int:
    by_name = part.get("patternProperties")
    return ("pattern" in part) + (len(by_name) if isinstance(by_name, dict) else 0)


def _references(part: JsonObject) -> Iterator[str]:
    for keyword in _REFUSED:
        if keyword in part:
            raise BadSchema(f"{keyword} is not understood here")
    reference = part.get("$ref")
    if isinstance(reference, str):
        yield reference


def _resolved(reference: str, resolver: Any) -> Any:
    look_up: Callable[[str], Any] = resolver.lookup
    try:
        return look_up(reference)
    except Unresolvable as error:
        raise BadSchema(
            f"$ref {reference[:_MAX_MESSAGE]!r} does not point to a part of the schema itself; nothing else is fetched"
        ) from error
