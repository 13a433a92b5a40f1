"""The sweeper's look at everybody's rows keeps nobody waiting."""

import asyncio
from uuid import UUID, uuid4

import pytest

from baton.domain.states import TaskState
from baton.store import sweeps
from baton.store.sweeps import OpenTurn
from tests.store.world import World


@pytest.fixture
def world(lone_world: World) -> World:
    """A tenant alone: the sweeper serves all that are in a database."""
    return lone_world


async def sweep(world: World) -> int:
    """What a sweeper does."""
    async with world.pool.transaction() as connection:
        return await sweeps.ring_silent(connection, 0)


async def test_it_passes_by_what_somebody_works_on(world: World) -> None:
    """Others lock an execution, then its tasks by id: a sweep that held some rows and waited for one could deadlock."""
    one, two = await world.task(), await world.task()
    plan = await world.plan(())
    await world.execute("UPDATE tasks SET ring_at = NULL, updated_at = now() - interval '1 hour' WHERE tenant_id = $1")
    await world.execute(
        "UPDATE executions SET ring_at = NULL, updated_at = now() - interval '1 hour' WHERE tenant_id = $1"
    )
    async with world.pool.transaction() as connection:
        await connection.fetch("SELECT FROM tasks WHERE id = $1 FOR UPDATE", one.task_id)
        await connection.fetch("SELECT FROM executions WHERE id = $1 FOR UPDATE", plan[0].execution_id)
        assert await asyncio.wait_for(sweep(world), 5) == 1
        assert (await world.row(two))["ring_at"] is not None
    assert await sweep(world) == 2, "the next sweep finds what was passed by"
    assert await sweep(world) == 0


async def test_nothing_is_swept_that_somebody_will_come_to(world: World) -> None:
    rung, at_work, waiting = await world.task(), await world.task(), await world.task()
    await world.start(at_work, 1)
    await world.start(waiting, 1)
    await world.pause(waiting)
    await world.interrupted(waiting, 1)
    await world.execute("UPDATE tasks SET updated_at = now() - interval '1 hour' WHERE tenant_id = $1")
    before = [(await world.row(route))["ring_at"] for route in (rung, at_work, waiting)]
    assert await sweep(world) == 0
    assert [(await world.row(route))["ring_at"] for route in (rung, at_work, waiting)] == before


async def test_a_cancelled_workflow_does_not_take_a_message_that_came_after_it(world: World) -> None:
    """The task was over when it was cancelled in Temporal; a message has reopened it, and nobody has rung yet."""
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1)
    await world.send(route)
    turn = OpenTurn(world.tenant, route.execution_id, route.task_id, 1)
    async with world.pool.transaction() as connection:
        assert await sweeps.workflow_lost(connection, turn, "canceled") is None
    box = await world.box(route)
    assert (box.state, box.unclaimed) == (TaskState.RUNNING, 1)


async def test_one_sweeps_at_a_time_and_another_takes_over_when_its_lease_has_run_out(world: World) -> None:
    one, other = uuid4(), uuid4()
    async with world.pool.connection() as connection:
        takes = await asyncio.gather(*(take(world, holder) for holder in (one, other) for _ in range(4)))
        assert takes in ([True] * 4 + [False] * 4, [False] * 4 + [True] * 4)
        holder, waits = (one, other) if takes[0] else (other, one)
        assert await sweeps.take_lease(connection, holder, 0.0), "it renews its own"
        assert await sweeps.take_lease(connection, waits, 60)
        assert not await sweeps.take_lease(connection, holder, 60)
        await sweeps.give_lease_back(connection, holder)
        assert not await sweeps.take_lease(connection, holder, 60), "that was nobody else's to give back"
        await sweeps.give_lease_back(connection, waits)
        assert await sweeps.take_lease(connection, holder, 60)


async def take(world: World, holder: UUID) -> bool:
    async with world.pool.connection() as connection:
        return await sweeps.take_lease(connection, holder, 60)


async def test_another_namespace_is_noted_once(world: World) -> None:
    noted: list[bool] = []
    for namespace in ("one", "one", "other", "other", "one"):
        async with world.pool.connection() as connection:
            noted.append(await sweeps.note_namespace(connection, namespace))
    assert noted == [True, False, True, False, True]
    task = await world.task()
    await world.start(task, 1)
    await world.execute("UPDATE tasks SET updated_at = now() - interval '1 hour' WHERE tenant_id = $1")
    async with world.pool.connection() as connection:
        assert [turn.moved for turn in await sweeps.open_turns(connection, 60, [], 10)] == [True]
    await world.execute("UPDATE temporal_namespace SET since = now() - interval '2 hours' WHERE $1::uuid IS NOT NULL")
    async with world.pool.connection() as connection:
        assert [turn.moved for turn in await sweeps.open_turns(connection, 60, [], 10)] == [False]


async def test_all_executions_are_compared_a_page_at_a_time(world: World) -> None:
    """However many there are, and whichever are wrong, as hands may have left them."""
    right, miscounted, differing = await world.task(), await world.task(), await world.task()
    plan = await world.plan((), (1,), (1, 2))
    await world.send(right)
    await world.execute("UPDATE tasks SET unclaimed = 7 WHERE tenant_id = $1 AND id = $2", miscounted.task_id)
    await world.execute("UPDATE tasks SET unclaimed = 0 WHERE tenant_id = $1 AND id = $2", plan[2].task_id)
    await world.send(plan[1])
    await world.execute("UPDATE tasks SET unclaimed = 0 WHERE tenant_id = $1 AND id = $2", plan[1].task_id)
    await world.execute(
        "UPDATE executions SET state = 'failed' WHERE tenant_id = $1 AND id = $2", differing.execution_id
    )
    counted, derived, pages, last = 0, 0, 0, None
    while pages == 0 or last is not None:
        async with world.pool.transaction() as connection:
            found = await sweeps.audit(connection, last, 2)
            counted += await sweeps.recount(connection, found.miscounted)
            derived += await sweeps.derive_states(connection, found.differing)
        pages, last = pages + 1, found.last
    assert (counted, derived, pages) == (2, 1, 3), "four executions, two a page: the third page is empty"
    assert [(await world.box(route)).unclaimed for route in (right, miscounted, plan[1])] == [1, 0, 1]
    assert (await world.execution(differing))["state"] == "running"
