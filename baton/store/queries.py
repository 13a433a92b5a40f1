"""The named queries of `sql/*.sql`, and how they are run.

In a query, `:tenant` is a parameter, given by that name wherever the query is run; `${route}` is the text of the
`-- part: route`, in whichever file that is, and `${due(tasks)}` that of `-- part: due` with `tasks` for each `${}` in
it; `:task.waiting` is the literal of a state (`TaskState.WAITING`), and `:task.is_over` the list of those states for
which the property holds, as in `state IN :task.is_over`. PostgreSQL knows neither `${` nor a name after a colon, so
that none of them can be taken for something else; casts (`::bigint`), quoted text and comments are left alone. All of
that is resolved once, when the queries are loaded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Final

import asyncpg

from baton.domain.approvals import ApprovalState
from baton.domain.events import EventType
from baton.domain.ids import Bounds, StepKey
from baton.domain.states import CallState, ExecutionState, MessageState, SendMode, StepState, TaskState, TurnState
from baton.store.pool import Connection

#: What `:task.waiting` and its like stand for: the kinds, and the words that each may be followed by.
_KINDS: Final[Mapping[str, type[StrEnum]]] = {
    "execution": ExecutionState,
    "task": TaskState,
    "turn": TurnState,
    "step": StepState,
    "call": CallState,
    "message": MessageState,
    "approval": ApprovalState,
    "mode": SendMode,
    "event": EventType,
}

_NAME: Final = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)
_ABOUT: Final = re.compile(r"\A\s*(--[^\n]*\n)*")
_PLACE: Final = "${}"
_TOKEN: Final = re.compile(
    r"""
      '(?:[^']|'')*' | --[^\n]* | ::            # quoted text, comments and casts stay as they are
    | \$\{(?P<part>\w+)(?:\((?P<of>\w+)\))?\}
    | :(?P<kind>[a-z]\w*)\.(?P<word>[a-z]\w*)
    | :(?P<parameter>[a-z]\w*)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement as PostgreSQL takes it: `parameters` are the names of `$1`, `$2`, …"""

    name: str
    text: str
    parameters: tuple[str, ...]

    def values(self, arguments: Mapping[str, object]) -> list[object]:
        """The ``arguments`` in the order of the parameters. Raises TypeError for one too few or too many."""
        try:
            values = [arguments[name] for name in self.parameters]
        except KeyError as error:
            raise TypeError(f"query {self.name!r}: the argument {error} is missing") from error
        if len(values) != len(arguments):
            raise TypeError(f"query {self.name!r}: it takes no {sorted(arguments.keys() - set(self.parameters))}")
        return values


async def fetch(connection: Connection, name: str, /, **arguments: object) -> list[asyncpg.Record]:
    """All rows of a named query. Its arguments are named, too."""
    query = all_queries()[name]
    return await connection.fetch(query.text, *query.values(arguments))


async def fetchrow(connection: Connection, name: str, /, **arguments: object) -> asyncpg.Record | None:
    """The first row of a named query, None where there is none."""
    query = all_queries()[name]
    return await connection.fetchrow(query.text, *query.values(arguments))


async def fetchval(connection: Connection, name: str, /, **arguments: object) -> Any:
    """The first column of the first row of a named query, None where there is none."""
    query = all_queries()[name]
    return await connection.fetchval(query.text, *query.values(arguments))


async def execute(connection: Connection, name: str, /, **arguments: object) -> None:
    """Run a named query whose rows, if it gives any, nobody needs."""
    query = all_queries()[name]
    await connection.execute(query.text, *query.values(arguments))


def of_step(key: StepKey) -> dict[str, object]:
    """The arguments that name a step."""
    return {"tenant": key.tenant_id, "task": key.task_id, "turn": key.turn, "step": key.step}


def within(bounds: Bounds) -> dict[str, object]:
    """The arguments of a query that is told whose rows count."""
    return {"tenant": bounds.tenant_id, "agent": bounds.agent_id}


@cache
def all_queries() -> Mapping[str, Query]:
    """Every named query, by name. Raises ValueError for a file that says what cannot be."""
    queries: dict[str, str] = {}
    parts: dict[str, str] = {}
    for file in sorted(resources.files("baton.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        pieces = _NAME.split(file.read_text(encoding="utf-8"))
        for kind, name, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
            if name in queries or name in parts:
                raise ValueError(f"{file.name}: the query {name!r} is named twice")
            (parts if kind == "part" else queries)[name] = _ABOUT.sub("", text).strip().rstrip(";")
    return {name: compiled(name, text, parts) for name, text in queries.items()}


def compiled(name: str, text: str, parts: Mapping[str, str]) -> Query:
    """A query from its text. Raises ValueError for a part or a state that there is not."""
    parameters: dict[str, int] = {}

    def resolved(token: re.Match[str]) -> str:
        if part := token["part"]:
            if part not in parts:
                raise ValueError(f"query {name!r}: there is no part {part!r}")
            if (_PLACE in parts[part]) != (token["of"] is not None):
                raise ValueError(f"query {name!r}: the part {part!r} is of one table, or of none")
            return _TOKEN.sub(resolved, parts[part].replace(_PLACE, token["of"] or ""))
        if token["kind"]:
            return _literal(name, token["kind"], token["word"])
        if parameter := token["parameter"]:
            return f"${parameters.setdefault(parameter, len(parameters) + 1)}"
        return token[0]

    return Query(name, _TOKEN.sub(resolved, text), tuple(parameters))


def _literal(name: str, kind: str, word: str) -> str:
    members = _KINDS.get(kind, ())
    found = [member for member in members if member.name.lower() == word]
    if found:
        return f"'{found[0]}'"
    holds = [f"'{member}'" for member in members if getattr(member, word, False) is True]
    if not holds:
        raise ValueError(f"query {name!r}: there is no {kind}.{word}")
    return f"({', '.join(holds)})"
