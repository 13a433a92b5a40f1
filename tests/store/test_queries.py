"""Every named query is valid on the migrated schema and for one tenant, and the hot ones use an index."""

import ast
import json
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
from tests.support.postgres import PostgresServer

STATES = (ExecutionState, TaskState, TurnState, StepState, CallState, MessageState, ApprovalState, SendMode)

#: Enough of everything that reading a whole table is never the cheaper way: 400 executions of 4 tasks each.
_FILL = """
INSERT INTO tenants (id, name) SELECT gen_random_uuid(), 'tenant ' || n FROM generate_series(1, 20) n;
INSERT INTO agents (tenant_id, id, name, model, is_default)
SELECT id, gen_random_uuid(), 'a', 'scripted', true FROM tenants;
INSERT INTO keys (tenant_id, id, digest, scopes)
SELECT id, gen_random_uuid(), sha256((id::text || n)::bytea), '{}' FROM tenants, generate_series(1, 50) n;
INSERT INTO executions (tenant_id, id, in_plan, agent_id, title, summary, queue, state, event_seq, ring_at)
SELECT tenant_id, gen_random_uuid(), n % 2 = 0, id, 't', repeat('s', 1500), 'q',
       (ARRAY['running', 'waiting', 'succeeded'])[n % 3 + 1], 12, CASE WHEN n % 20 = 0 THEN now() END
  FROM agents, generate_series(1, 20) n;
INSERT INTO tasks (tenant_id, id, execution_id, position, title, description, agent_id, state, turn, waiting_since,
                   ring_at)
SELECT tenant_id, gen_random_uuid(), id, n, 't', 'd', agent_id,
       CASE WHEN n = 1 AND state = 'waiting' THEN 'waiting' ELSE 'succeeded' END, 3,
       CASE WHEN n = 1 AND state = 'waiting' THEN now() END, CASE WHEN n = 2 AND ring_at IS NOT NULL THEN now() END
  FROM executions, generate_series(1, 4) n;
INSERT INTO messages (tenant_id, task_id, seq, id, text, origin, sender, state, turn, ended_at, idempotency_key, digest)
SELECT tenant_id, id, n, gen_random_uuid(), 'm', 'o', 's', 'processed', n, now(), 'k' || n, ''
  FROM tasks, generate_series(1, 3) n;
INSERT INTO turns (tenant_id, task_id, turn) SELECT tenant_id, id, n FROM tasks, generate_series(1, 3) n;
INSERT INTO steps (tenant_id, task_id, turn, step, first_event) SELECT tenant_id, task_id, turn, 0, 1 FROM turns;
INSERT INTO tool_calls (tenant_id, task_id, turn, step, call_id, ordinal, name, arguments)
SELECT tenant_id, task_id, turn, step, 'c', 1, 'n', '{}' FROM steps;
INSERT INTO events (tenant_id, execution_id, seq, type, task_id, data)
SELECT tenant_id, id, n, 'text.delta', NULL, '{}' FROM executions, generate_series(1, 12) n;
INSERT INTO starts (tenant_id, scope, idempotency_key, digest, made_id, created_at)
SELECT tenant_id, tenant_id, 'k' || id, '', id, now() - interval '1 hour' * row_number() OVER () / 20 FROM executions;
"""

#: Tables whose size grows with use: none is ever read as a whole, whatever it costs.
_LARGE = frozenset({"executions", "tasks", "messages", "turns", "steps", "tool_calls", "events", "keys", "starts"})

#: What a caller waits for, or what runs all the time: an index on its own columns, and little read beside.
_HOT = {
    "send_message": {"executions_pkey", "tasks_pkey"},
    "send_together": {"executions_pkey", "tasks_pkey"},
    "message_by_key": {"messages_idempotency_unique"},
    "message_of_execution_by_key": {"tasks_position_unique", "messages_idempotency_unique"},
    "route_by_execution": {"tasks_position_unique", "executions_pkey"},
    "route_for_message": {"executions_pkey", "tasks_position_unique"},
    "lock_task": {"executions_pkey", "tasks_pkey"},
    "save_mailbox": {"tasks_pkey"},
    "append_events": {"executions_pkey"},
    "events_after": {"events_pkey"},
    "events_of_types": {"events_pkey"},
    "latest_events_of_types": {"events_pkey"},
    "begin_turn": {"messages_pkey"},
    "end_turn": {"messages_by_turn", "turns_pkey"},
    "read_step": {"steps_pkey", "events_pkey"},
    "tool_calls_left": {"tool_calls_pkey"},
    "due_tasks": {"tasks_to_ring_by_tenant"},
    "due_plans": {"executions_to_ring_by_tenant"},
    "heard": {"tasks_pkey"},
    "read_bell": {"tasks_pkey"},
    "count_states": {"tasks_position_unique"},
    "lock_tasks": {"tasks_position_unique"},
    "end_turns": {"turns_pkey", "steps_pkey", "tool_calls_pkey"},
    "end_held_calls": {"tool_calls_pkey"},
    "bury_unclaimed": {"messages_pkey"},
    "tasks_with_news": {"tasks_pkey", "messages_pkey"},
    "waiting_after": {"tasks_position_unique", "events_of_states"},
    "feed_pages": {"executions_pkey", "events_pkey"},
    "route_by_position": {"tasks_position_unique"},
    "route_by_task": {"tasks_pkey"},
    "list_waiting_tasks": {"tasks_waiting"},
    "page_task_details": {"tasks_number_unique"},
    "task_details": {"tasks_pkey", "executions_pkey"},
    "task_events": {"events_pkey"},
    "list_tasks_with_errands": {"tasks_listed", "messages_pkey", "turns_pkey"},
    "list_errands": {"messages_pkey", "messages_by_turn", "turns_pkey", "steps_pkey"},
    "errand_home": {"messages_id_unique", "tasks_pkey"},
    "key_by_digest": {"keys_digest_unique"},
    "start_by_key": {"starts_key_unique"},
    "count_unprocessed": {"messages_unprocessed", "tasks_pkey"},
    "count_waiting": {"tasks_waiting"},
    "created_execution": {"executions_pkey", "tasks_position_unique"},
}

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
    "miscounted",
    "states_by_execution",
    "expire_starts",
    "count_unprocessed",
    "count_waiting",
    "count_unheard",
    "queues_with_work",
}

#: The sweeper and `baton verify` read everything now and then.
_READ_ALL = frozenset({"sweep_silent", "sweep_plans", "open_turns", "miscounted", "states_by_execution"})


@pytest.fixture(scope="module")
async def full(postgres: PostgresServer) -> AsyncGenerator[Connection]:
    """A connection to a database with much in it."""
    dsn = await postgres.create_database()
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")  # no checks of foreign keys while it is filled
    await connection.execute(_FILL)
    await connection.execute("SET session_replication_role = origin; SET plan_cache_mode = force_generic_plan; ANALYZE")
    yield connection
    await connection.close()
    await postgres.drop_database(dsn)


async def plan_of(connection: Connection, name: str) -> dict[str, Any]:
    """The plan that a prepared query gets when it is used often."""
    await connection.execute(f"PREPARE {name} AS {all_queries()[name].text}")
    types = await connection.fetchval(
        "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = $1", name
    )
    arguments = f"({', '.join(['NULL'] * len(types))})" if types else ""
    found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{arguments}")
    await connection.execute(f"DEALLOCATE {name}")
    return json.loads(found)[0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def read_as_a_whole(plan: dict[str, Any]) -> set[str]:
    """The large tables that a plan reads row by row."""
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"} & _LARGE


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
        plans = {name: await plan_of(full, name) for name in all_queries().keys() - _READ_ALL}
    finally:
        await full.execute("RESET enable_seqscan")
    assert {name: scanned for name, plan in plans.items() if (scanned := read_as_a_whole(plan))} == {}


async def test_a_hot_one_uses_its_own_index(full: Connection) -> None:
    """It does so by itself, although the tables are still small."""
    for name, expected in _HOT.items():
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
