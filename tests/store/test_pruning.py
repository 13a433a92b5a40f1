"""What is too old goes, all of it and nothing else; what is left stays right, and nobody waits for it."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from baton.domain.errors import NotFound
from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.domain.states import TaskState
from baton.service.pruning import Keep, Pruned, Pruner
from baton.service.retention import Retention
from baton.store import feed, pruning
from tests.store.world import World, call

NOW = timedelta()
DAY = timedelta(days=1)
DELTAS = {EventType.TEXT_DELTA, EventType.REASONING_DELTA}


async def prune(world: World, keep: Keep, *, batch: int = 1000, dry_run: bool = False) -> Pruned:
    """Prune the world's tenant."""
    total = Pruned()
    pruner = Pruner(world.pool, keep, batch=batch, pause_seconds=0, dry_run=dry_run)
    async for pruned in pruner.prune(world.tenant):
        total += pruned
    return total


async def age(world: World, route: TaskRoute, days: int = 30) -> None:
    """Have all of an execution happened earlier."""
    back = timedelta(days=days)
    await world.execute(
        "UPDATE executions SET created_at = created_at - $3::interval, completed_at = completed_at - $3::interval"
        " WHERE tenant_id = $1 AND id = $2",
        route.execution_id,
        back,
    )
    await world.execute(
        "UPDATE events SET at = at - $3::interval WHERE tenant_id = $1 AND execution_id = $2", route.execution_id, back
    )


async def talk(world: World, route: TaskRoute, turn: int, pieces: int = 3, **record: object) -> None:
    """A turn that streams so many pieces."""
    await world.start(route, turn)
    for n in range(pieces):
        await world.stream(route, turn, f"{n} ")
    await world.record(route, turn, text="".join(f"{n} " for n in range(pieces)), **record)  # pyright: ignore[reportArgumentType]


async def types(world: World, route: TaskRoute) -> list[str]:
    """The types of the events that a log has."""
    rows = await world.rows(
        "SELECT type FROM events WHERE tenant_id = $1 AND execution_id = $2 ORDER BY seq", route.execution_id
    )
    return [row["type"] for row in rows]


async def over(world: World) -> TaskRoute:
    """A task that is over for 30 days, with a row in every table that knows tasks."""
    route = await world.task()
    await talk(world, route, 1, calls=[call("c")])
    names = (route.task_id, uuid4())
    await world.execute(
        "INSERT INTO approvals (tenant_id, id, task_id, turn, step, call_id, tool, arguments, digest, asked_at)"
        " VALUES ($1, $3, $2, 1, 0, 'c', 't', '{}', '', now())",
        *names,
    )
    await world.execute(
        "INSERT INTO artifacts (tenant_id, id, task_id, turn, step, call_id, media_type, content, whole_bytes)"
        " VALUES ($1, $3, $2, 1, 0, 'c', 't', '', 0)",
        *names,
    )
    await world.execute(
        "INSERT INTO compactions (tenant_id, task_id, number, turn, step, reason, kept_turn, kept_step, kept_seq,"
        " summary, left_out, model, agent_model) VALUES ($1, $2, 1, 1, 0, 'window', 1, 0, 1, '', '{}', '', '')",
        route.task_id,
    )
    await world.execute(
        "INSERT INTO notes (tenant_id, execution_id, task_id, name, text) VALUES ($1, $2, $3, 'n', '')",
        route.execution_id,
        route.task_id,
    )
    await world.execute(
        "INSERT INTO starts (tenant_id, scope, idempotency_key, digest, made_id, created_at)"
        " VALUES ($1, $1, $2, '', $3, now() - interval '2 days')",
        f"key-{route.task_id}",
        route.execution_id,
    )
    await world.send(route)
    await world.fail(route, 1)
    await world.execute("UPDATE messages SET state = 'processed' WHERE tenant_id = $1 AND task_id = $2", route.task_id)
    await world.execute(
        "UPDATE tasks SET state = 'failed', unclaimed = 0, turn_open = false, ring_at = NULL"
        " WHERE tenant_id = $1 AND id = $2",
        route.task_id,
    )
    await world.execute(
        "UPDATE executions SET state = 'failed', completed_at = now(), ring_at = NULL WHERE tenant_id = $1 AND id = $2",
        route.execution_id,
    )
    await age(world, route)
    return route


async def tables_that_name(world: World, *ids: UUID) -> set[str]:
    """The tables in which a uuid of any column is one of these."""
    columns = await world.rows(
        "SELECT table_name AS name, array_agg(column_name::text) AS columns FROM information_schema.columns"
        " WHERE $1::uuid IS NOT NULL AND table_schema = 'public' AND data_type = 'uuid' GROUP BY table_name"
    )
    found: set[str] = set()
    for table in columns:
        where = " OR ".join(f"{column} = ANY ($2::uuid[])" for column in table["columns"])
        if await world.rows(f"SELECT 1 FROM {table['name']} WHERE $1::uuid IS NOT NULL AND ({where})", list(ids)):
            found.add(table["name"])
    return found


async def test_every_table_that_knows_executions_or_tasks_loses_them(world: World) -> None:
    """A new table that names them fails here, until `over` fills it and it goes with them."""
    route, kept = await over(world), await over(world)
    await age(world, kept, days=-25)
    known = {
        row["name"]
        for row in await world.rows(
            "SELECT table_name AS name FROM information_schema.columns WHERE $1::uuid IS NOT NULL"
            " AND table_schema = 'public' AND column_name IN ('execution_id', 'task_id', 'made_id')"
        )
    }
    assert await tables_that_name(world, route.execution_id, route.task_id) == {"executions", *known}
    counted = await prune(world, Keep(executions=10 * DAY), dry_run=True)
    events = len(await types(world, route))
    assert counted == Pruned(executions=1, events=events)
    assert await prune(world, Keep(executions=10 * DAY)) == counted
    assert await tables_that_name(world, route.execution_id, route.task_id) == set()
    assert await tables_that_name(world, kept.execution_id, kept.task_id) == {"executions", *known} - {"starts"}


async def test_what_belongs_to_an_execution_is_found_by_an_index(world: World) -> None:
    """Each foreign key that cascades begins with the columns of an index: else each removal reads a whole table."""
    rows = await world.rows(
        "SELECT conrelid::regclass::text AS name, conname FROM pg_constraint c"
        " WHERE $1::uuid IS NOT NULL AND contype = 'f' AND confdeltype = 'c' AND NOT EXISTS (SELECT FROM pg_index i"
        " WHERE i.indrelid = c.conrelid AND i.indpred IS NULL"
        " AND (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey)"
    )
    assert [(row["name"], row["conname"]) for row in rows] == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tasks SET state = 'waiting', waiting_since = now() WHERE tenant_id = $1 AND id = $2",
        "UPDATE tasks SET turn_open = true WHERE tenant_id = $1 AND id = $2",
        "UPDATE tasks SET unclaimed = 1 WHERE tenant_id = $1 AND id = $2",
        "UPDATE tasks SET ring_at = now() WHERE tenant_id = $1 AND id = $2",
        "UPDATE executions SET ring_at = now() WHERE tenant_id = $1 AND id = (SELECT execution_id FROM tasks t"
        " WHERE t.tenant_id = $1 AND t.id = $2)",
    ],
)
async def test_what_is_not_quite_over_stays(world: World, change: str) -> None:
    route = await over(world)
    await world.execute(change, route.task_id)
    assert await prune(world, Keep(executions=DAY)) == Pruned()
    assert await world.row(route)


async def test_one_that_is_reopened_meanwhile_stays(world: World) -> None:
    """Found to be over, and reopened before its turn comes: judged again under the lock, which nobody is kept from."""
    route = await over(world)
    before = (await world.execution(route))["completed_at"] + DAY
    async with world.pool.connection() as connection:
        page = await pruning.finished(connection, world.tenant, before, pruning.FIRST, 10)
    assert [one.over for one in page] == [True]
    await world.send(route, "again")
    async with world.pool.transaction() as connection:
        assert await pruning.remove_finished(connection, world.tenant, route.execution_id, before, 10) == (0, False)
    assert (await world.box(route)).state is TaskState.RUNNING
    assert [row["text"] for row in await world.messages(route)][-1] == "again"


async def test_nobody_waits_for_one_that_is_locked(world: World) -> None:
    route = await over(world)
    async with world.pool.transaction() as connection:
        await connection.fetch(
            "SELECT 1 FROM executions WHERE tenant_id = $1 AND id = $2 FOR UPDATE", world.tenant, route.execution_id
        )
        async with asyncio.timeout(20):
            assert await prune(world, Keep(executions=DAY)) == Pruned()
    assert (await prune(world, Keep(executions=DAY))).executions == 1


async def test_a_long_log_goes_in_pieces_and_a_kill_between_them_loses_nothing(world: World) -> None:
    route = await over(world)
    events = len(await types(world, route))
    pruner = Pruner(world.pool, Keep(executions=DAY), batch=3, pause_seconds=0)
    async with aclosing(pruner.prune(world.tenant)) as batches:
        first = await anext(batches)
    assert first == Pruned(events=3)
    async with world.pool.connection() as connection:
        start = await feed.start(connection, world.tenant, route.execution_id, None)
    assert start is not None
    assert (start.oldest, start.whole_from) == (4, 4)  # who reads it now is told of the gap
    assert await prune(world, Keep(executions=DAY), batch=3) == Pruned(1, events - 3)
    assert await tables_that_name(world, route.execution_id, route.task_id) == set()


async def test_deltas_of_finished_steps_go_and_all_else_stays(world: World) -> None:
    route = await world.task()
    await talk(world, route, 1)
    await world.send(route)
    await world.start(route, 2)
    await world.stream(route, 2, "under way")
    before = await types(world, route)
    seen = await prune(world, Keep(deltas=NOW), dry_run=True)
    assert seen == Pruned(deltas=3)
    assert await types(world, route) == before
    assert await prune(world, Keep(deltas=NOW)) == seen
    left = list(before)
    for _ in range(3):
        left.remove(EventType.TEXT_DELTA)
    assert await types(world, route) == left
    assert left.count(EventType.TEXT_DELTA) == 1
    assert await prune(world, Keep(deltas=NOW)) == Pruned()
    await world.record(route, 2, text="under way")
    assert await prune(world, Keep(deltas=NOW)) == Pruned(deltas=1)
    assert not DELTAS.intersection(await types(world, route))


async def test_deltas_that_are_young_stay(world: World) -> None:
    route = await world.task()
    await talk(world, route, 1)
    await world.execute(
        "UPDATE executions SET created_at = now() - interval '9 days' WHERE tenant_id = $1 AND id = $2",
        route.execution_id,
    )
    assert await prune(world, Keep(deltas=DAY)) == Pruned()
    await age(world, route, 2)
    await world.send(route)
    await talk(world, route, 2)
    assert await prune(world, Keep(deltas=DAY)) == Pruned(deltas=3)
    assert (await types(world, route)).count(EventType.TEXT_DELTA) == 3


async def test_steps_that_overlap_lose_their_own_deltas_alone(world: World) -> None:
    """At every point of the work the log has all of a step's pieces, or none."""
    one, two = await world.plan((), ())
    await world.advance(one)
    await world.start(one, 1)
    await world.start(two, 1)
    for _ in range(4):
        await world.stream(one, 1, "a")
        await world.stream(two, 1, "b")
    await world.record(one, 1, text="aaaa")
    for _ in range(4):
        await world.stream(two, 1, "b")
    await world.record(two, 1, text="b" * 8)
    pieces = "SELECT task_id, count(*) FROM events WHERE tenant_id = $1 AND type = 'text.delta' GROUP BY 1"
    seen: list[dict[UUID, int]] = []
    pruner = Pruner(world.pool, Keep(deltas=NOW), batch=2, pause_seconds=0)
    async for _ in pruner.prune(world.tenant):
        seen.append({row["task_id"]: row["count"] for row in await world.rows(pieces)})
        pruned_seq = (await world.execution(one))["pruned_seq"]
        async with world.pool.connection() as connection:
            known = feed.Known(world.tenant, one.execution_id, 0)
            log = (await feed.pages(connection, [known], limit=99, most_bytes=10**6))[one.execution_id]
        completed = [event for event in log.events if event.type == EventType.STEP_COMPLETED]
        assert [event.pruned for event in completed] == [event.seq <= pruned_seq for event in completed]
        assert {event.task_id for event in completed if event.pruned} == {one.task_id, two.task_id} - seen[-1].keys()
    assert seen == [{two.task_id: 8}, {}]


async def test_one_prunes_a_tenant_at_a_time(world: World) -> None:
    route = await world.task()
    await talk(world, route, 1)
    async with world.pool.transaction() as connection:
        assert await pruning.alone(connection, world.tenant)
        assert await prune(world, Keep(deltas=NOW)) == Pruned()
    assert (await prune(world, Keep(deltas=NOW))).deltas == 3


async def test_senders_and_pruners_do_not_stop_each_other(world: World) -> None:
    """Messages come in for what is being pruned, and reopen what is over: all are stored, and no log loses its end."""
    routes = [await over(world) for _ in range(8)]
    live = await world.task()
    await talk(world, live, 1, pieces=40)

    async def send(route: TaskRoute) -> bool:
        try:
            await world.send(route)
        except NotFound:
            return False
        return True

    async with asyncio.timeout(60):
        sent, _, _ = await asyncio.gather(
            asyncio.gather(*(send(route) for route in [*routes, live])),
            prune(world, Keep(NOW, DAY), batch=4),
            prune(world, Keep(NOW, DAY), batch=4),
        )
    for route, accepted in zip([*routes, live], sent, strict=True):
        there = await world.rows("SELECT state FROM tasks WHERE tenant_id = $1 AND id = $2", route.task_id)
        assert [row["state"] for row in there] == (["running"] if accepted else [])


async def test_one_worker_applies_the_settings(lone_world: World) -> None:
    world = lone_world
    route = await world.task()
    await talk(world, route, 1)
    one, two = (Retention(world.pool, Keep(deltas=NOW), interval_seconds=0.01) for _ in range(2))
    await one.apply()
    assert not DELTAS.intersection(await types(world, route))
    await world.send(route)
    await talk(world, route, 2)
    await two.apply()  # the first has the lease
    assert DELTAS.intersection(await types(world, route))
    await one.close()
    two.start()
    async with asyncio.timeout(20):
        while DELTAS.intersection(await types(world, route)):
            await asyncio.sleep(0.01)
    await two.close()


def test_ages_have_limits() -> None:
    with pytest.raises(ValueError, match="a day at least"):
        Keep(executions=DAY / 2)
    with pytest.raises(ValueError, match="negative"):
        Keep(deltas=-DAY)
