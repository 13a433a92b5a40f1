"""What a plan says of its tasks beside what is to be done: who does it, what bounds it, what its result must be."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from baton.domain.agent_limits import check_limits
from baton.domain.agents import AgentReference, parse_reference
from baton.domain.errors import InvalidInput, InvalidPlan
from baton.domain.json import JsonObject, deeper_than, unstorable_text
from baton.domain.plan_keys import Path
from baton.domain.results import check_result_schema

#: No schema may be nested deeper, nor could such a one be written out.
_DEEPEST: Final = 100
#: Checking a schema costs some milliseconds: so many different ones are.
_MOST_SCHEMAS: Final = 100


@dataclass(frozen=True, slots=True)
class NamedAgent:
    """The agent that a plan names for a task, and where in the request it does."""

    reference: AgentReference
    where: Path


def agent_of(entry: JsonObject, path: Path, position: int) -> NamedAgent | None:
    """The agent that a task names: by name, integer or uuid."""
    named, where = entry.get("agent"), (*path, "agent")
    if named is None:
        return None
    if isinstance(named, int) and not isinstance(named, bool):
        return NamedAgent(named, where)
    if not isinstance(named, str) or not named.strip():
        raise InvalidPlan(f"task {position}: agent must be an agent's name, number or id", position, where)
    if reason := unstorable_text(named):
        raise InvalidPlan(f"task {position}: {reason}", position, where)
    return NamedAgent(parse_reference(named), where)


def result_schema_of(entry: JsonObject, path: Path, position: int) -> JsonObject | None:
    """What a task's result must obey; checked later."""
    schema = entry.get("result_schema")
    if schema is not None and not isinstance(schema, dict):
        raise InvalidPlan(
            f"task {position}: result_schema must be a JSON Schema, as an object", position, (*path, "result_schema")
        )
    return schema


def check_result_schemas(schemas: Sequence[tuple[int, JsonObject | None, Path]]) -> None:
    """Refuse schemas that no answer can be checked against: each with its task and the path to that. Equal ones are
    checked once."""
    checked = set[str]()
    for position, schema, path in schemas:
        if not schema:
            continue
        text = "" if deeper_than(schema, _DEEPEST) else json.dumps(schema, sort_keys=True)
        if text in checked:
            continue
        where = (*path, "result_schema")
        if len(checked) == _MOST_SCHEMAS:
            raise InvalidPlan(f"a plan has at most {_MOST_SCHEMAS} different result schemas", position, where)
        try:
            check_result_schema(schema, where)
        except InvalidInput as error:
            raise InvalidPlan(f"task {position}: {error.message}", position, where) from error
        checked.add(text)


def limits_of(source: JsonObject, path: Path, whose: str, task: int | None) -> JsonObject:
    """What bounds a task, or where ``task`` is None the plan."""
    limits = source.get("limits")
    if limits is None:
        return {}
    where = (*path, "limits")
    if not isinstance(limits, dict):
        raise InvalidPlan(f"{whose}: limits must be an object", task, where)
    try:
        check_limits(limits, where, of_plan=task is None)
    except InvalidInput as error:
        raise InvalidPlan(f"{whose}: {error.message}", task, error.where) from error
    return limits
