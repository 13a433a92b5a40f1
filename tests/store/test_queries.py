"""Is every named query good SQL on the present schema, and do the ones that are hot use their index?"""

import re
from collections.abc import AsyncGenerator
from importlib import resources
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from store.queries import all_queries, query
from tests.support.postgres import PostgresServer


@pytest.fixture
async def connection(shared_database: str) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    """A connection to a migrated database."""
    connection = await asyncpg.connect(shared_database)
    yield connection
    await connection.close()


async def test_every_query_can_be_prepared(connection: "asyncpg.Connection[Any]") -> None:
    for name, text in all_queries().items():
        try:
            await connection.prepare(text)
        except asyncpg.PostgresError as error:
            pytest.fail(f"{name}: {error}")


def test_every_query_names_its_tenant_first() -> None:
    """Except those that find out who calls, serve all tenants by their nature, or take several logs at once."""
    sweeps = resources.files("store").joinpath("sql", "sweeps.sql").read_text()
    everybodys = {
        *re.findall(r"^-- name: (\w+)$", sweeps, re.M),
        "ensure_tenant",
        "tenant_by_name",
        "key_by_digest",
        "answers",
        "due_tasks",
        "due_plans",
        "feed_pages",
        "feed_heads",
    }
    stray = [
        name
        for name, text in all_queries().items()
        if name not in everybodys
        and not re.search(r"tenant_id\s*=\s*\$1|VALUES \(\$1|SELECT \$1|x\.id = \$1", re.sub(r"--.*", "", text))
    ]
    assert stray == []


#: Many tenants, one of them with many executions, so that the planner has something to choose for.
_FILL = """
    INSERT INTO tenants (id, name) SELECT gen_random_uuid(), 'filled ' || n FROM generate_series(1, 20) n;
    INSERT INTO agents (tenant_id, id, name, model) SELECT id, id, 'a', 'scripted' FROM tenants;
    INSERT INTO executions (tenant_id, id, in_plan, agent_id, title, queue, state, event_seq, created_at)
    SELECT id, gen_random_uuid(), n % 2 = 0, id, 't', 'q', 'running', 5, now() - n * interval '1 second'
      FROM tenants, generate_series(1, 300) n;
    INSERT INTO tasks (tenant_id, id, execution_id, position, title, description, agent_id, state, waiting_since)
    SELECT tenant_id, gen_random_uuid(), id, n, 't', 'd', agent_id, CASE WHEN n = 2 THEN 'waiting' ELSE 'running' END,
           CASE WHEN n = 2 THEN now() - random() * interval '1 day' END
      FROM executions, generate_series(1, 2) n;
    INSERT INTO messages (tenant_id, task_id, seq, id, text, origin, sender, digest)
    SELECT tenant_id, id, n, gen_random_uuid(), 'x', 'o', 's', '' FROM tasks, generate_series(1, 3) n;
    INSERT INTO events (tenant_id, execution_id, seq, type, data)
    SELECT tenant_id, id, n, 'text.delta', '{}' FROM executions, generate_series(1, 5) n;
    INSERT INTO keys (tenant_id, id, digest, scopes)
    SELECT id, gen_random_uuid(), sha256((id::text || n)::bytea), '{}' FROM tenants, generate_series(1, 20) n;
    ANALYZE;
"""


@pytest.fixture(scope="module")
async def filled(postgres: PostgresServer) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    """A connection to a database with much in it."""
    dsn = await postgres.create_database()
    connection = await asyncpg.connect(dsn)
    await connection.execute(_FILL)
    yield connection
    await connection.close()
    await postgres.drop_database(dsn)


@pytest.mark.parametrize(
    ("name", "arguments", "index"),
    [
        ("list_executions", ("tenant", None, None, None, None, None, 20, 0), "executions_by_age"),
        ("list_single_tasks", ("tenant", None, None, 20, 0), "executions_by_age"),
        ("list_waiting_tasks", ("tenant", None, None, 20), "tasks_waiting"),
        ("list_tasks", ("tenant", None, None, None, 20), "tasks_number_unique"),
        ("list_messages", ("tenant", "task", 0, 20, None), "messages_pkey"),
        ("list_dead_messages", ("tenant", None, None, 20), "messages_dead"),
        ("message_view", ("tenant", "message"), "messages_id_unique"),
        ("key_by_digest", ("digest",), "keys_digest_unique"),
        ("events_after", ("tenant", "execution", 0, 20), "events_pkey"),
        ("feed_pages", (["tenant"], ["execution"], [0], 50), "events_pkey"),
        ("feed_heads", (["tenant"], ["execution"], [0]), "executions_pkey"),
        ("feed_start", ("tenant", "execution", "task"), "events_pkey"),
        ("tasks_of_execution", ("tenant", "execution"), "tasks_position_unique"),
        ("route_by_position", ("tenant", "execution", 1), "tasks_position_unique"),
        ("route_by_task", ("tenant", "task"), "tasks_pkey"),
    ],
)
async def test_reads_use_their_index(
    filled: "asyncpg.Connection[Any]", name: str, arguments: tuple[Any, ...], index: str
) -> None:
    row = await filled.fetchrow(
        "SELECT t.tenant_id AS tenant, t.id AS task, t.execution_id AS execution, m.id AS message, k.digest"
        "  FROM tasks t JOIN messages m ON m.tenant_id = t.tenant_id AND m.task_id = t.id"
        "       JOIN keys k ON k.tenant_id = t.tenant_id LIMIT 1"
    )
    assert row is not None
    known = dict(row)

    def real(argument: Any) -> Any:
        if isinstance(argument, list):
            return [real(one) for one in argument]
        return known.get(argument, argument) if isinstance(argument, str) else argument

    plan = "\n".join(line[0] for line in await filled.fetch(f"EXPLAIN {query(name)}", *map(real, arguments)))
    assert index in plan, plan
    for table in ("executions", "tasks", "messages", "events", "keys"):
        assert f"Seq Scan on {table}" not in plan, plan
    if name in ("list_waiting_tasks", "list_tasks", "list_messages", "list_dead_messages", "events_after"):
        assert "Sort" not in plan, plan


async def test_a_name_is_used_once() -> None:
    assert uuid4() not in all_queries()
    with pytest.raises(KeyError):
        query("no_such_query")
