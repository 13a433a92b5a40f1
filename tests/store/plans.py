"""The plans that queries get in a database with much in it."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from baton.store.pool import Connection
from baton.store.queries import all_queries
from tests.support.postgres import PostgresServer

#: Enough of everything that reading a whole table is never the cheaper way: 400 executions of 4 tasks each.
_FILL: Final = """
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
_LARGE: Final = frozenset(
    {"executions", "tasks", "messages", "turns", "steps", "tool_calls", "events", "keys", "starts"}
)

#: What a caller waits for, or what runs all the time: an index on its own columns, and little read beside.
HOT: Final = {
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
    "begin_turn": {"messages_unclaimed"},
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
    "bury_unclaimed": {"messages_unclaimed"},
    "tasks_with_news": {"tasks_pkey", "messages_unclaimed"},
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
    "page_finished": {"executions_finished", "tasks_position_unique"},
    "lock_if_free": {"executions_pkey"},
    "is_over_for_good": {"executions_pkey", "tasks_position_unique"},
    "remove_oldest_events": {"events_pkey"},
    "count_events": {"events_pkey"},
    "page_logs": {"executions_by_age"},
    "completed_steps": {"events_pkey", "steps_pkey"},
    "remove_deltas": {"events_pkey"},
    "count_deltas": {"events_pkey"},
    "note_prune_seen": {"executions_pkey", "events_pkey"},
    "sweep_silent": {"tasks_forgotten"},
    "sweep_plans": {"executions_forgotten"},
    "open_turns": {"tasks_at_work"},
    "audit_executions": {"executions_pkey", "messages_unclaimed"},
}


@asynccontextmanager
async def filled_database(postgres: PostgresServer) -> AsyncGenerator[Connection]:
    """A connection to a database with much in it, where queries get the plans of those that are used often."""
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
