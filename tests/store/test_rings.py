"""What the relay is given: all that is due, each to one relay, ever more rarely until somebody looks."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from baton.domain.bells import TaskBell
from baton.domain.states import SendMode, TaskState
from baton.store import rings
from baton.store.rings import DuePlan, DueTask, RingPace
from tests.store.world import World

S = TaskState


@pytest.fixture
def world(lone_world: World) -> World:
    """A tenant alone: the relay serves all that are in a database."""
    return lone_world


async def due_tasks(world: World, limit: int = 100, share: int = 1000) -> list[DueTask]:
    """What a relay takes."""
    async with world.pool.connection() as connection:
        return await rings.due_tasks(connection, RingPace(limit, share, 10, 60))


async def due_plans(world: World, limit: int = 100, share: int = 1000) -> list[DuePlan]:
    """What a relay takes."""
    async with world.pool.connection() as connection:
        return await rings.due_plans(connection, RingPace(limit, share, 10, 60))


async def make_due(world: World) -> None:
    """Time passes."""
    for table in ("tasks", "executions"):
        await world.execute(f"UPDATE {table} SET ring_at = now() WHERE tenant_id = $1 AND ring_at IS NOT NULL")


async def waits(world: World, table: str = "tasks") -> timedelta:
    """How long the only row waits to be rung."""
    (row,) = await world.rows(f"SELECT ring_at - now() AS wait FROM {table} WHERE tenant_id = $1")
    return row["wait"]


async def test_nothing_is_due_before_its_time(world: World) -> None:
    route = await world.task()
    assert await due_tasks(world) == []
    await make_due(world)
    assert await due_tasks(world) == [DueTask(world.tenant, route.task_id, TaskBell(1, 1, 0))]
    assert await due_tasks(world) == [], "the next ring is put off"


async def test_each_ring_puts_the_next_off_further(world: World) -> None:
    await world.task()
    for expected in (10, 20, 40, 60, 60):
        await make_due(world)
        assert len(await due_tasks(world)) == 1
        assert timedelta(seconds=expected - 2) < await waits(world) <= timedelta(seconds=expected)
    await world.execute("UPDATE tasks SET rings = 30, ring_at = now() WHERE tenant_id = $1")
    assert len(await due_tasks(world)) == 1
    assert await waits(world) <= timedelta(seconds=60)


async def test_what_could_not_be_told_is_due_again_soon(world: World) -> None:
    await world.task()
    for _ in range(2):
        await make_due(world)
        await due_tasks(world)
    await make_due(world)
    (due,) = await due_tasks(world)
    async with world.pool.connection() as connection:
        await rings.task_ring_failed(connection, due, 0.5)
    assert await waits(world) <= timedelta(seconds=0.5)
    await make_due(world)
    await due_tasks(world)
    assert await waits(world) <= timedelta(seconds=10), "and counts from the beginning"


async def test_a_ring_that_was_answered_is_not_brought_back_by_one_that_failed(world: World) -> None:
    route = await world.task()
    await make_due(world)
    (due,) = await due_tasks(world)
    await world.start(route, 1)
    async with world.pool.connection() as connection:
        await rings.task_ring_failed(connection, due, 0)
    assert (await world.row(route))["ring_at"] is None


async def test_a_worker_that_begins_or_looks_ends_the_rings(world: World) -> None:
    route = await world.task()
    await make_due(world)
    await due_tasks(world)
    await world.start(route, 1)
    row = await world.row(route)
    assert (row["ring_at"], row["rings"]) == (None, 0)
    await world.record(route, 1)
    await world.send(route)
    await make_due(world)
    assert len(await due_tasks(world)) == 1
    await world.cancel(route)
    await world.start(route, 2)
    row = await world.row(route)
    assert (row["ring_at"], row["rings"]) == (None, 0)


async def test_an_interrupt_is_rung_with_the_turn_it_names(world: World) -> None:
    route = await world.task()
    await world.start(route, 1)
    receipt = await world.send(route, mode=SendMode.INTERRUPT)
    await make_due(world)
    assert await due_tasks(world) == [DueTask(world.tenant, route.task_id, TaskBell(receipt.version, 1, 1))]


async def test_the_longest_due_come_first(world: World) -> None:
    routes = [await world.task() for _ in range(5)]
    for minutes, route in enumerate(routes):
        await world.execute(
            "UPDATE tasks SET ring_at = now() - make_interval(mins => $3) WHERE tenant_id = $1 AND id = $2",
            route.task_id,
            minutes,
        )
    assert {due.task_id for due in await due_tasks(world, 2)} == {routes[4].task_id, routes[3].task_id}
    assert {due.task_id for due in await due_tasks(world, 2)} == {routes[2].task_id, routes[1].task_id}


async def test_two_relays_never_take_the_same_and_never_wait_for_each_other(world: World) -> None:
    routes = [await world.task() for _ in range(10)]
    await make_due(world)
    async with world.pool.transaction() as connection:
        first = await rings.due_tasks(connection, RingPace(4, 1000, 10, 60))
        second = await asyncio.wait_for(due_tasks(world), 5)
    taken = [due.task_id for due in (*first, *second)]
    assert (len(first), len(second)) == (4, 6)
    assert set(taken) == {route.task_id for route in routes}


async def test_many_relays_at_once(world: World) -> None:
    routes = [await world.task() for _ in range(40)]
    await make_due(world)
    taken = [due.task_id for batch in await asyncio.gather(*(due_tasks(world, 7) for _ in range(16))) for due in batch]
    assert len(taken) == len(set(taken))
    taken += [due.task_id for due in await due_tasks(world)]
    assert sorted(taken) == sorted(route.task_id for route in routes)


async def test_a_relay_passes_by_a_task_that_somebody_works_on(world: World) -> None:
    one, two = await world.task(), await world.task()
    await make_due(world)
    async with world.pool.transaction() as connection:
        await connection.fetch("SELECT FROM tasks WHERE id = $1 FOR UPDATE", one.task_id)
        assert [due.task_id for due in await asyncio.wait_for(due_tasks(world), 5)] == [two.task_id]
    assert [due.task_id for due in await due_tasks(world)] == [one.task_id], "its turn comes at the next look"


async def test_relays_and_callers_do_not_lock_each_other_out(world: World) -> None:
    """Relays take tasks in the order of their times, everybody else an execution first: no deadlock comes of it."""
    tasks = await world.plan(*[()] * 6)
    await world.advance(tasks[0])

    async def relay() -> set[UUID]:
        taken: set[UUID] = set()
        for _ in range(20):
            await make_due_one_by_one()
            taken |= {due.task_id for due in await due_tasks(world, 3)}
            await due_plans(world)
        return taken

    async def make_due_one_by_one() -> None:
        for task in tasks:
            await world.execute("UPDATE tasks SET ring_at = now() WHERE tenant_id = $1 AND id = $2", task.task_id)

    async def call(n: int) -> None:
        for _ in range(10):
            await world.send(tasks[n % 6])
            await world.advance(tasks[0])

    relays = asyncio.gather(relay(), relay())
    (one, other), _ = await asyncio.gather(relays, asyncio.gather(*(call(n) for n in range(6))))
    assert one | other == {task.task_id for task in tasks}


async def test_plans(world: World) -> None:
    (task,) = await world.plan(())
    assert await due_plans(world) == []
    await make_due(world)
    (due,) = await due_plans(world)
    assert (due.tenant_id, due.execution_id, due.event_seq, due.queue) == (
        world.tenant,
        task.execution_id,
        1,
        "a-queue",
    )
    assert due.tenant.startswith("tenant-")
    assert timedelta(seconds=8) < await waits(world, "executions") <= timedelta(seconds=10)
    assert await due_plans(world) == []
    async with world.pool.connection() as connection:
        await rings.plan_ring_failed(connection, due, 0.5)
    assert await waits(world, "executions") <= timedelta(seconds=0.5)
    await world.advance(task)
    await make_due(world)
    assert await due_plans(world) == []
    async with world.pool.connection() as connection:
        await rings.plan_ring_failed(connection, due, 0)
    assert (await world.execution(task))["ring_at"] is None


async def test_each_tenant_has_its_turn_however_much_another_has(world: World) -> None:
    many = await world.plan(*[()] * 30)
    await world.advance(many[0])
    async with World.open(world.dsn) as other:
        late = [await other.task() for _ in range(2)]
        await make_due(world)
        await make_due(other)
        taken = await due_tasks(world, 4)
        assert {due.task_id for due in taken if due.tenant_id == other.tenant} == {route.task_id for route in late}
        assert len(taken) == 4


async def test_of_one_tenant_no_more_are_taken_than_its_share_that_nobody_has_taken_up(world: World) -> None:
    routes = await world.plan(*[()] * 8)
    await world.advance(routes[0])
    await make_due(world)
    taken = await due_tasks(world, share=3)
    assert len(taken) == 3
    assert await due_tasks(world, share=3) == [], "the workers have enough of it"
    for due in taken[:2]:
        route = next(route for route in routes if route.task_id == due.task_id)
        await world.start(route, 1)
    assert len(await due_tasks(world, share=3)) == 2
    await make_due(world)
    assert len(await due_tasks(world, share=3)) == 3, "what nobody answers holds up nothing for ever"


async def test_a_workflow_that_need_not_run_is_told_once(world: World) -> None:
    route = await world.in_state(S.WAITING)
    await world.cancel(route)
    await make_due(world)
    (due,) = await due_tasks(world)
    assert not due.bell.starts
    async with world.pool.connection() as connection:
        await rings.task_told(connection, due)
    await make_due(world)
    assert await due_tasks(world) == []
