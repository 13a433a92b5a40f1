"""The keys of a plan that are read, and what a key that is not may have been meant to be."""

from collections.abc import Iterator, Sequence
from typing import Final

from baton.domain.errors import InvalidPlan
from baton.domain.json import INT64_MAX, INT64_MIN, JsonObject, JsonValue, unstorable_text
from baton.domain.likeness import LONGEST, meant, quoted

Path = tuple[str | int, ...]

#: Where a task may say which tasks it needs.
DEPENDENCIES: Final = ("dependencies", "depends_on")

_PLAN: Final = ("title", "summary", "tasks", "team_breakdown", "limits")
_TEAM: Final = ("tasks",)
_TASK: Final = ("id", "title", "description", "details", *DEPENDENCIES, "agent", "limits", "result_schema")

#: Comparing costs some 0.1 ms a key: so many different ones are looked at.
_MOST_COMPARED: Final = 500


def unread_keys(source: JsonObject, base: Path, entries: Sequence[tuple[JsonValue, Path]]) -> list[InvalidPlan]:
    """The keys that nobody reads: all of them in the plain form, in Kubiya's those that look like a misspelling.

    ``entries`` are what is to be a task, each with the path to it.
    """
    plain = source.get("team_breakdown") is None
    compared: dict[tuple[str, tuple[str, ...]], str | None] = {}
    unread: list[InvalidPlan] = []
    for value, path, known, name in _objects(source, base, entries):
        for key in [key for key in value if key not in known]:
            if (key, known) not in compared and len(compared) < _MOST_COMPARED:
                compared[key, known] = meant(key, known)
            instead = compared.get((key, known))
            if instead is None and not plain:
                continue
            hint = f"; did you mean {instead!r}?" if instead else f": it may have {', '.join(known)}"
            where = (*path, key) if len(key) <= LONGEST and unstorable_text(key) is None else path
            task = _id(value) if known is _TASK else None
            unread.append(InvalidPlan(f"{name} has an unknown key {quoted(key)}{hint}", task, where))
    if not plain and source.get("tasks") is not None:
        unread.append(InvalidPlan("tasks is not read beside team_breakdown", None, (*base, "tasks")))
    return unread


def _objects(
    source: JsonObject, base: Path, entries: Sequence[tuple[JsonValue, Path]]
) -> Iterator[tuple[JsonObject, Path, tuple[str, ...], str]]:
    """Every object of a plan, with the path to it, the keys that are read, and what to call it."""
    yield source, base, _PLAN, "the plan"
    teams = source.get("team_breakdown")
    for number, team in enumerate(teams if isinstance(teams, list) else []):
        if isinstance(team, dict):
            yield team, (*base, "team_breakdown", number), _TEAM, f"the team at index {number}"
    for entry, path in entries:
        if isinstance(entry, dict):
            task = _id(entry)
            yield entry, path, _TASK, f"the task at index {path[-1]}" if task is None else f"task {task}"


def _id(entry: JsonObject) -> int | None:
    task = entry.get("id")
    if isinstance(task, int) and not isinstance(task, bool) and INT64_MIN <= task <= INT64_MAX:
        return task
    return None
