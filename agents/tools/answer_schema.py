"""Whether a JSON Schema can be a rule for answers: valid (draft 2020-12), self-contained, and of sane depth."""

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, SchemaRegistry

from domain.json import JsonObject, JsonValue

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MAX_DEPTH: Final = 32
_MAX_MESSAGE: Final = 300
_NOTHING_REMOTE: Final[SchemaRegistry] = Registry()
_PROBES: Final[tuple[JsonValue, ...]] = (None, True, 0, 0.5, "", [], {})


def schema_problem(schema: JsonObject) -> str | None:
    """Why answers cannot be checked against ``schema``, in words for the model; None where they can."""
    if _depth_over(schema, _MAX_DEPTH):
        return f"it is nested more than {_MAX_DEPTH} deep"
    if schema.get("$schema", _DIALECT) not in (_DIALECT, f"{_DIALECT}#"):
        return f"it has to be a JSON Schema of draft 2020-12 ({_DIALECT})"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"it is no valid JSON Schema of draft 2020-12: {error.message[:_MAX_MESSAGE]} (at {error.json_path})"
    if outside := _reference_outside(schema):
        return f"$ref {outside!r} does not point to a part of the schema itself; nothing else is fetched"
    return _unusable(schema)


def _depth_over(value: JsonValue, limit: int) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(limit + 1):
        level = [item for holder in level for item in _items(holder)]
        if not level:
            return False
    return True


def _items(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _reference_outside(schema: JsonObject) -> str | None:
    for reference, lookup in _references(schema):
        try:
            lookup(reference)
        except Unresolvable:
            return reference
    return None


def _references(schema: JsonObject) -> Iterator[tuple[str, Callable[[str], object]]]:
    """Every reference in ``schema``, with what looks it up from its place."""
    root: Resource[Any] = DRAFT202012.create_resource(cast("Any", schema))
    pending = [(root, _NOTHING_REMOTE.resolver_with_root(root))]
    while pending:
        resource, resolver = pending.pop()
        contents = cast("JsonValue", resource.contents)
        if isinstance(contents, dict):
            for keyword in ("$ref", "$dynamicRef"):
                reference = contents.get(keyword)
                if isinstance(reference, str):
                    yield reference, resolver.lookup
        pending.extend((sub, resolver.in_subresource(sub)) for sub in resource.subresources())


def _unusable(schema: JsonObject) -> str | None:
    """Try it: a schema that refers to itself without an end in sight shows only then."""
    validator: Any = Draft202012Validator(schema, registry=_NOTHING_REMOTE)
    try:
        for probe in _PROBES:
            list(validator.iter_errors(probe))
    except RecursionError:
        return "it refers to itself without end"
    return None
