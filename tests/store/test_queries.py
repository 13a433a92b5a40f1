"""Every named query is valid on the migrated schema and for one tenant, and the hot ones use an index."""

import ast
import re
from collections.abc import AsyncGenerator, Iterator
from importlib import resources
from typing import Any

import asyncpg
import pytest

from baton.domain.approvals import ApprovalState
from baton.domain.events import EventType
from baton.domain.states import CallState, ExecutionState, MessageState, SendMode, StepState, TaskState, TurnState
from baton.store.pool import Connection
from baton.store.queries import all_queries
from tests.store.plans import HOT, filled_database, nodes, plan_of, read_as_a_whole
from tests.support.postgres import PostgresServer

STATES = (ExecutionState, TaskState, TurnState, StepState, CallState, MessageState, ApprovalState, SendMode)

#: What the relay, the sweeper, metrics and an operator's checks look for in all tenants, and what says who calls.
_ACROSS_TENANTS = {
    "key_by_digest",
    "due_tasks",
    "due_plans",
    "sweep_silent",
    "sweep_timers",
    "sweep_plans",
    "open_turns",
    "unheard_plans",
    "unheard_tasks",
    "audit_executions",
    "expire_starts",
    "count_unprocessed",
    "count_waiting",
    "count_unheard",
    "queues_with_work",
}


@pytest.fixture(scope="module")
async def full(postgres: PostgresServer) -> AsyncGenerator[Connection]:
    """A connection to a database with much in it."""
    async with filled_database(postgres) as connection:
        yield connection


async def test_all_are_valid_and_a_name_is_of_one_type(full: Connection) -> None:
    wrong: dict[str, str] = {}
    types: dict[str, dict[str, str]] = {}
    for name, query in all_queries().items():
        try:
            statement = await full.prepare(query.text)
        except asyncpg.PostgresError as error:
            wrong[name] = str(error)
            continue
        for parameter, kind in zip(query.parameters, statement.get_parameters(), strict=True):
            types.setdefault(parameter, {})[kind.name] = name
    assert wrong == {}
    assert {parameter: kinds for parameter, kinds in types.items() if len(kinds) > 1} == {}


async def test_there_is_an_index_for_each(full: Connection) -> None:
    """However large the tables: none has to be read as a whole."""
    await full.execute("SET enable_seqscan = off")
    try:
        plans = {name: await plan_of(full, name) for name in all_queries()}
    finally:
        await full.execute("RESET enable_seqscan")
    assert {name: scanned for name, plan in plans.items() if (scanned := read_as_a_whole(plan))} == {}


async def test_a_hot_one_uses_its_own_index(full: Connection) -> None:
    """It does so by itself, although the tables are still small."""
    for name, expected in HOT.items():
        plan = await plan_of(full, name)
        used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
        assert expected <= used, name
        assert not read_as_a_whole(plan), name


async def test_each_is_for_one_tenant(full: Connection) -> None:
    """Wherever a plan reads a table that has tenants, it reads rows of one that is given, or found before."""
    having = "SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id'"
    tables = {"tenants", *(row["table_name"] for row in await full.fetch(having))}
    await full.execute("SET enable_hashjoin = off; SET enable_mergejoin = off")  # so that a join shows in its scans
    try:
        plans = {name: await plan_of(full, name) for name in all_queries()}
    finally:
        await full.execute("RESET enable_hashjoin; RESET enable_mergejoin")
    across = {name: tables.intersection(_read_across(plan)) for name, plan in plans.items()}
    assert {name for name, found in across.items() if found} == _ACROSS_TENANTS


def _read_across(plan: dict[str, Any]) -> Iterator[str]:
    for node in nodes(plan):
        if "Relation Name" in node and node["Node Type"] != "ModifyTable":
            conditions = " ".join(str(node.get(kind, "")) for kind in ("Index Cond", "Recheck Cond", "Filter"))
            own = ("(id = ", "(name = ") if node["Relation Name"] == "tenants" else ("tenant_id = ",)
            if not any(condition in conditions for condition in own):
                yield node["Relation Name"]


def _files(kind: str) -> dict[str, str]:
    """The texts of the store's SQL files, or of its modules."""
    folder = resources.files("baton.store")
    files = (f for f in (folder / "sql" if kind == "sql" else folder).iterdir() if f.name.endswith(f".{kind}"))
    return {f.name: f.read_text(encoding="utf-8") for f in files}


def test_a_name_is_used_once() -> None:
    names = [name for text in _files("sql").values() for name in re.findall(r"^-- name: (\w+)$", text, re.MULTILINE)]
    assert sorted(names) == sorted(all_queries())


def test_every_query_and_every_part_is_used() -> None:
    """What nobody calls is deleted, not kept."""
    code, sql = "".join(_files("py").values()), "".join(_files("sql").values())
    assert [name for name in all_queries() if f'"{name}"' not in code] == []
    parts = re.findall(r"^-- part: (\w+)$", sql, re.MULTILINE)
    assert [part for part in parts if f"${{{part}}}" not in sql and f"${{{part}(" not in sql] == []


def test_every_call_names_the_arguments_that_its_query_takes() -> None:
    wrong = [
        f"{file}:{call.lineno}"
        for file, text in _files("py").items()
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and _is_wrong(call)
    ]
    assert wrong == []


def _is_wrong(call: ast.Call) -> bool:
    runs = isinstance(call.func, ast.Name) and call.func.id in ("fetch", "fetchrow", "fetchval", "execute")
    name = call.args[1] if runs and len(call.args) > 1 else None
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return False
    query = all_queries()[name.value]
    given = {keyword.arg for keyword in call.keywords}
    return not (given - {None} <= set(query.parameters) if None in given else given == set(query.parameters))


def test_states_are_named_not_spelled() -> None:
    """`:task.waiting`, so that nobody has to look for a state in all statements."""
    words = {str(member) for kind in (*STATES, EventType) for member in kind}
    spelled = {
        file: found
        for file, text in _files("sql").items()
        if (found := [word for word in re.findall(r"'([\w.]+)'", re.sub(r"--.*", "", text)) if word in words])
    }
    assert spelled == {}


def test_lines_fit_the_page() -> None:
    assert [(f, line) for f, text in _files("sql").items() for line in text.splitlines() if len(line) > 120] == []
