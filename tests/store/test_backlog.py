"""What metrics say of what waits: is it right, and cheap however much there is?"""

from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID

import pytest
from asyncpg import CheckViolationError
from prometheus_client import Gauge
from prometheus_client.samples import Sample

from baton.domain.catalog import Catalog
from baton.domain.ids import TaskRoute
from baton.domain.states import MessageState, TaskState
from baton.metrics import labels
from baton.metrics.labels import TenantLabel
from baton.metrics.series import MESSAGES, UNHEARD, WAITING
from baton.service.backlog import AGES, Backlog
from baton.service.catalog import Publisher
from baton.store import backlog
from baton.store.pool import Connection
from tests.store.world import World
from tests.support.metrics import sample
from tests.support.postgres import PostgresServer


def _samples(gauge: Gauge) -> list[Sample]:
    (family,) = gauge.collect()
    return family.samples


async def _age(world: World, table: str, column: str, task: UUID, by: timedelta) -> None:
    which = "id" if table == "tasks" else "task_id"
    async with world.pool.connection() as connection:
        await connection.execute(
            f"UPDATE {table} SET {column} = now() - $3::interval WHERE tenant_id = $1 AND {which} = $2",
            world.tenant,
            task,
            by,
        )


async def test_messages_are_counted_by_state_and_age(lone_world: World) -> None:
    queued, fresh = await lone_world.task(), await lone_world.task()
    not_begun = await lone_world.in_state(TaskState.PENDING)
    for route in (queued, fresh, not_begun):
        await lone_world.send(route)
    await lone_world.start(fresh, 1)  # claims it
    await _age(lone_world, "messages", "accepted_at", queued.task_id, timedelta(seconds=75))
    await _age(lone_world, "messages", "accepted_at", not_begun.task_id, timedelta(hours=2))
    async with lone_world.pool.connection() as connection:
        found = await backlog.unprocessed(connection, AGES, by_tenant=False)
    assert {(one.state, one.task_state, AGES[one.age - 1], one.number) for one in found} == {
        (MessageState.ACCEPTED, TaskState.RUNNING, 60.0, 1),
        (MessageState.CLAIMED, TaskState.RUNNING, 0.0, 1),
        (MessageState.ACCEPTED, TaskState.PENDING, 3600.0, 1),
    }
    await Backlog(lone_world.pool, 1, "a-queue").count()
    assert 75 <= sample("baton_oldest_unprocessed_seconds") < 3600, "a task that has not begun keeps nobody waiting"
    shown = [s for s in _samples(MESSAGES) if (s.labels["state"], s.labels["task_state"]) == ("accepted", "running")]
    ages = {s.labels["older_than"]: s.value for s in shown}
    assert (ages["0"], ages["60"], ages["600"]) == (1, 1, 0)


async def test_what_is_processed_is_not_counted(lone_world: World) -> None:
    route = await lone_world.task()
    await lone_world.send(route)
    await lone_world.start(route, 1)
    await lone_world.record(route, 1)
    async with lone_world.pool.connection() as connection:
        assert await backlog.unprocessed(connection, AGES, by_tenant=False) == []
    await Backlog(lone_world.pool, 1, "a-queue").count()
    assert sample("baton_oldest_unprocessed_seconds") == 0


async def _waits(world: World, for_: timedelta) -> TaskRoute:
    route = await world.in_state(TaskState.WAITING)
    await _age(world, "tasks", "waiting_since", route.task_id, for_)
    return route


async def test_waiting_tasks_are_counted_by_age_and_where_wanted_by_tenant(
    lone_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await World.create(lone_world.dsn, lone_world.pool)
    for world, days in ((lone_world, 0), (lone_world, 2), (other, 9)):
        await _waits(world, timedelta(days=days, seconds=1))
    await Backlog(lone_world.pool, 1, "a-queue").count()
    assert _waiting() == {"0": 3, "10": 2, "60": 2, "600": 2, "3600": 2, "86400": 2, "604800": 1}
    told = TenantLabel()
    told.tell(1)
    monkeypatch.setattr(labels, "tenant", told)
    await Backlog(lone_world.pool, 1, "a-queue").count()
    by_tenant = {s.labels["tenant"] for s in _samples(WAITING) if s.value}
    assert len(by_tenant - {"other"} & {str(lone_world.tenant), str(other.tenant)}) == 1
    assert "other" in by_tenant, "tenants beyond the limit are one"


async def test_no_task_waits_without_saying_since_when(world: World) -> None:
    route = await world.task()
    with pytest.raises(CheckViolationError, match="tasks_waiting_since"):
        await world.execute("UPDATE tasks SET state = 'waiting' WHERE tenant_id = $1 AND id = $2", route.task_id)


def _waiting() -> dict[str, float]:
    return {s.labels["older_than"]: s.value for s in _samples(WAITING)}


async def test_rings_that_nobody_answers_are_told_by_queue(lone_world: World) -> None:
    route, plan = await lone_world.task(), await lone_world.plan(())
    for table, key, tenant in (("tasks", route.task_id, route), ("executions", plan[0].execution_id, plan[0])):
        async with lone_world.pool.connection() as connection:
            await connection.execute(
                f"UPDATE {table} SET ring_at = now() - interval '7 s', rings = 2, updated_at = now() - interval '90 s'"
                " WHERE tenant_id = $1 AND id = $2",
                tenant.tenant_id,
                key,
            )
    await Backlog(lone_world.pool, 1, "a-queue").count()
    assert sample("baton_unheard", queue="a-queue") == 2
    assert 90 <= sample("baton_unheard_seconds", queue="a-queue") < 600
    assert 7 <= sample("baton_relay_lag_seconds") < 600


async def test_a_queue_that_no_worker_has_ever_served_is_not_told_by_name(lone_world: World) -> None:
    """Callers choose it: a misspelt one is no reason to wake somebody, and a thousand are no thousand series."""
    route = await lone_world.task()  # on a-queue
    await lone_world.execute(
        "UPDATE tasks SET ring_at = now(), rings = 2, updated_at = now() - interval '90 s'"
        " WHERE tenant_id = $1 AND id = $2",
        route.task_id,
    )
    await Backlog(lone_world.pool, 1, "ours").count()
    assert (sample("baton_astray"), sample("baton_unheard", queue="ours")) == (1, 0)
    assert 90 <= sample("baton_astray_seconds") < 600
    assert [s.labels["queue"] for s in _samples(UNHEARD)] == ["ours"]
    publisher = Publisher(lone_world.pool, lambda: Catalog({}, {}), ["a-queue"])
    await publisher.publish()
    await publisher.publish()
    await Backlog(lone_world.pool, 1, "ours").count()
    assert (sample("baton_astray"), sample("baton_astray_seconds")) == (0, 0)
    assert sample("baton_unheard", queue="a-queue") == 1, "it is known, although its worker may be gone for days"


async def test_nothing_is_owed_where_all_rings_lie_ahead(lone_world: World) -> None:
    await lone_world.task()  # due in a minute
    await Backlog(lone_world.pool, 1, "a-queue").count()
    assert sample("baton_relay_lag_seconds") == 0
    assert sample("baton_unheard", queue="a-queue") == 0


_CROWD = """
INSERT INTO executions (tenant_id, id, in_plan, agent_id, title, summary, queue, state, event_seq)
SELECT $1, gen_random_uuid(), false, $2, 't', '', 'q', 'waiting', 3 FROM generate_series(1, $3::int);
"""
_CROWDED_TASKS = """
INSERT INTO tasks (tenant_id, id, execution_id, position, title, description, agent_id, state, turn, waiting_since)
SELECT tenant_id, gen_random_uuid(), id, 1, 't', 'd', agent_id, 'waiting', 1, now() - random() * interval '9 days'
  FROM executions WHERE tenant_id = $1
"""
_CROWDED_MESSAGES = """
INSERT INTO messages (tenant_id, task_id, seq, id, text, origin, sender, state, turn, ended_at, digest)
SELECT tenant_id, id, n, gen_random_uuid(), 'm', 'o', 's', 'processed', n, now(), ''
  FROM tasks, generate_series(1, 2) n WHERE tenant_id = $1
"""
_MANY = 5_000


@pytest.fixture
async def new_world(postgres: PostgresServer) -> AsyncGenerator[World]:
    """A tenant in a database that is new: no plan has been made there yet, and no row has died."""
    dsn = await postgres.create_database()
    async with World.open(dsn) as world:
        yield world
    await postgres.drop_database(dsn)


async def test_counting_reads_what_waits_and_nothing_else(new_world: World) -> None:
    """Only indexes of what waits are read, however many other rows there are."""
    async with new_world.pool.connection() as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(_CROWD, new_world.tenant, new_world.agent.id, _MANY)
        await connection.execute(_CROWDED_TASKS, new_world.tenant)
        await connection.execute(_CROWDED_MESSAGES, new_world.tenant)
        await connection.execute("SET session_replication_role = origin")
        await connection.execute("VACUUM ANALYZE executions, tasks, messages")
        before = await _rows_read(connection)
        waiting = await backlog.waiting(connection, AGES, by_tenant=True)
        assert sum(one.number for one in waiting) == _MANY
        assert await backlog.unprocessed(connection, AGES, by_tenant=True) == []
        assert await backlog.unheard(connection) == []
        after = await _rows_read(connection)
    assert after - before == 0, "rows that were read from tables"


async def _rows_read(connection: Connection) -> int:
    await connection.execute("SELECT pg_stat_force_next_flush()")
    return await connection.fetchval(
        "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables"
        " WHERE relname IN ('executions', 'tasks', 'messages')"
    )
