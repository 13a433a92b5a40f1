"""Plans: what is to be done, as tasks that depend on one another.

Two forms are read: Kubiya's plan JSON (tasks at ``team_breakdown[*].tasks[]``) and a plain one for files that people
write (``tasks[]`` beside the title). Either may be wrapped in ``{"plan": …}``.

A key that is not read changes what runs: `depend_on` starts a task at once. The plain form refuses it. Kubiya's form
has keys that are not for us: there, one that looks like a misspelling is a warning.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Final

from baton.domain.agents import AgentReference
from baton.domain.errors import InvalidPlan
from baton.domain.json import INT64_MAX, INT64_MIN, JsonObject, JsonValue, unstorable, unstorable_text
from baton.domain.plan_keys import DEPENDENCIES, Path, unread_keys
from baton.domain.plan_options import NamedAgent, agent_of, check_result_schemas, limits_of, result_schema_of

#: How much that is wrong is told at once.
MOST_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A task of a plan. ``position`` is its id there; ``description`` is all that the agent reads; ``agent`` does it,
    None for the plan's; ``limits`` bound the task beside those of its agent;
    ``result_schema`` is what its result must obey, None: as its agent says."""

    position: int
    title: str
    description: str
    depends_on: tuple[int, ...] = ()
    limits: JsonObject = field(default_factory=dict[str, JsonValue])
    agent: NamedAgent | None = None
    result_schema: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A valid plan: at least one task, ids are unique, dependencies exist and form no cycle. ``source`` as given.

    ``limits`` bound all of its tasks together. ``warnings`` are for whoever sent it: what was not read and may have
    been meant.
    """

    title: str
    summary: str
    tasks: tuple[PlanTask, ...]
    source: JsonObject
    warnings: tuple[str, ...] = ()
    limits: JsonObject = field(default_factory=dict[str, JsonValue])

    @property
    def only_agent(self) -> AgentReference:
        """The agent that all of its tasks name; None where they do not."""
        named = {None if task.agent is None else task.agent.reference for task in self.tasks}
        return named.pop() if len(named) == 1 else None


def parse_plan(value: JsonValue) -> Plan:
    """Read a plan. Raises `InvalidPlan`, which names the tasks that are wrong."""
    base: Path = ("body", "plan")
    source = _object(value, base, "the plan")
    if isinstance(inner := source.get("plan"), dict):
        source, base = inner, (*base, "plan")
    entries = list(_entries(source, base))
    unread = unread_keys(source, base, entries)
    wrong, warnings = ([], unread) if source.get("team_breakdown") is not None else (unread, [])
    found: list[tuple[PlanTask, Path]] = []
    for entry, path in entries:
        try:
            found.append(_task(entry, path))
        except InvalidPlan as error:
            wrong.append(error)
    if wrong:
        first, others = wrong[0], tuple(wrong[1:MOST_PROBLEMS])
        raise InvalidPlan(first.message, first.task, first.where, others)
    if not found:
        raise InvalidPlan("the plan has no tasks", where=base)
    tasks = tuple(task for task, _ in found)
    paths = [path for _, path in found]
    _check_dependencies(tasks, paths)
    check_result_schemas([(t.position, t.result_schema, path) for t, path in found])
    title = _optional_text(source, "title", base) or tasks[0].title
    summary = _optional_text(source, "summary", base)
    limits = limits_of(source, base, "the plan", None)
    if reason := unstorable(source):
        raise InvalidPlan(reason, where=base)
    told = tuple(warning.message for warning in warnings[:MOST_PROBLEMS])
    return Plan(title=title, summary=summary, tasks=tasks, source=source, warnings=told, limits=limits)


def _entries(source: JsonObject, base: Path) -> Iterator[tuple[JsonValue, Path]]:
    """Every entry that is to be a task, with the path to it."""
    if source.get("team_breakdown") is not None:
        for number, team in enumerate(_list(source["team_breakdown"], (*base, "team_breakdown"))):
            path = (*base, "team_breakdown", number)
            yield from _numbered(_object(team, path, "a team of the plan").get("tasks"), (*path, "tasks"))
    else:
        yield from _numbered(source.get("tasks"), (*base, "tasks"))


def _numbered(value: JsonValue, path: Path) -> Iterator[tuple[JsonValue, Path]]:
    for number, entry in enumerate(_list([] if value is None else value, path)):
        yield entry, (*path, number)


def _task(value: JsonValue, path: Path) -> tuple[PlanTask, Path]:
    number = path[-1]
    entry = _object(value, path, f"the task at index {number}")
    if "id" not in entry:
        raise InvalidPlan(f"the task at index {number} has no id", where=(*path, "id"))
    position = _integer(entry["id"], (*path, "id"), f"the id of the task at index {number}", None)
    return PlanTask(
        position=position,
        title=_required_text(entry, "title", position, path),
        description=_description(entry, position, path),
        depends_on=_dependencies(entry, position, path),
        limits=limits_of(entry, path, f"task {position}", position),
        agent=agent_of(entry, path, position),
        result_schema=result_schema_of(entry, path, position),
    ), path


def _description(entry: JsonObject, position: int, path: Path) -> str:
    """Description and details, both unchanged, a blank line between them."""
    description = _required_text(entry, "description", position, path)
    details = entry.get("details")
    if details is None or details == "":
        return description
    where = (*path, "details")
    lines = details if isinstance(details, list) else [details]
    texts: list[str] = []
    for line in lines:
        if not isinstance(line, str):
            raise InvalidPlan(f"task {position}: details must be text or a list of texts", position, where)
        texts.append(_storable(line, position, where))
    return "\n\n".join((description, "\n".join(texts))) if texts else description


def _dependencies(entry: JsonObject, position: int, path: Path) -> tuple[int, ...]:
    """The ids that the task names, in order, each once."""
    ids: list[int] = []
    for key in DEPENDENCIES:
        named = entry.get(key)
        if named is None:
            continue
        where = (*path, key)
        if not isinstance(named, list):
            raise InvalidPlan(f"task {position}: {key} must be a list of task ids", position, where)
        ids += [_integer(one, (*where, n), f"task {position}: a dependency", position) for n, one in enumerate(named)]
    return tuple(dict.fromkeys(ids))


def _check_dependencies(tasks: tuple[PlanTask, ...], paths: list[Path]) -> None:
    """Refuse what is no DAG."""
    where: dict[int, Path] = {}
    for task, path in zip(tasks, paths, strict=True):
        if task.position in where:
            raise InvalidPlan(f"two tasks have the id {task.position}", task.position, (*path, "id"))
        where[task.position] = path
    for task in tasks:
        for needed in task.depends_on:
            if needed not in where:
                raise InvalidPlan(
                    f"task {task.position} depends on task {needed}, which is not in the plan",
                    task.position,
                    (*where[task.position], "dependencies"),
                )
    if cycle := find_cycle({task.position: task.depends_on for task in tasks}):
        if len(cycle) == 1:
            message = f"task {cycle[0]} depends on itself"
        else:
            message = "tasks depend on one another: " + " → ".join(str(task) for task in (*cycle, cycle[0]))
        raise InvalidPlan(message, cycle[0], (*where[cycle[0]], "dependencies"))


def find_cycle(needs: Mapping[int, tuple[int, ...]]) -> list[int] | None:
    """Tasks of a cycle, each needing the next and the last the first; None where there is no cycle.

    ``needs`` maps each task to what it depends on.
    """
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        cycle: list[int] = error.args[1]  # the first of it is also the last, and each is needed by the next
        return cycle[:0:-1]
    return None


def _object(value: JsonValue, path: Path, what: str) -> JsonObject:
    if not isinstance(value, dict):
        raise InvalidPlan(f"{what} must be an object", where=path)
    return value


def _list(value: JsonValue, path: Path) -> list[JsonValue]:
    if not isinstance(value, list):
        raise InvalidPlan(f"{path[-1]} must be a list", where=path)
    return value


def _integer(value: JsonValue, path: Path, what: str, task: int | None) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidPlan(f"{what} must be an integer", task, path)
    if not INT64_MIN <= value <= INT64_MAX:
        raise InvalidPlan(f"{what} is outside 64 bits", task, path)
    return value


def _required_text(entry: JsonObject, key: str, position: int, path: Path) -> str:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidPlan(f"task {position}: {key} must be text, not {_kind(value)}", position, (*path, key))
    if value is None or not value.strip():
        raise InvalidPlan(f"task {position} has no {key}", position, (*path, key))
    return _storable(value, position, (*path, key))


def _optional_text(source: JsonObject, key: str, base: Path) -> str:
    value = source.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidPlan(f"the plan's {key} must be text, not {_kind(value)}", where=(*base, key))
    if reason := unstorable_text(value):
        raise InvalidPlan(f"the plan's {key}: {reason}", where=(*base, key))
    return value


def _kind(value: JsonValue) -> str:
    """What a value is, and where a file's author wrote a number for a text, what to do about it."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"a number: write {json.dumps(str(value))}"
    return "an object" if isinstance(value, dict) else "a list"


def _storable(text: str, position: int, path: Path) -> str:
    if reason := unstorable_text(text):
        raise InvalidPlan(f"task {position}: {reason}", position, path)
    return text
