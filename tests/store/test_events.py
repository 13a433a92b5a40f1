"""An execution's log: numbered without gaps, visible in order, readable from anywhere."""

import asyncio
from uuid import UUID, uuid4

import pytest

from baton.domain.errors import ExecutionNotFound
from baton.domain.events import EventType, NewEvent
from baton.domain.ids import TaskRoute
from baton.domain.states import ExecutionState
from baton.store import events
from tests.store.world import World
from tests.support.events import delta


async def append(world: World, route: TaskRoute, count: int, state: ExecutionState | None = None) -> int:
    """Append so many events in one statement."""
    new = [NewEvent(delta(str(n)), route.task_id) for n in range(count)]
    async with world.pool.connection() as connection:
        return await events.append(
            connection, world.tenant, route.execution_id, new, positions={route.task_id: route.position}, state=state
        )


async def test_pages_follow_one_another(world: World) -> None:
    route = await world.task()
    assert await append(world, route, 10) == 12
    read: list[int] = []
    async with world.pool.connection() as connection:
        while page := await events.after(connection, world.tenant, route.execution_id, read[-1] if read else 0, 5):
            assert len(page) <= 5
            read += [event.seq for event in page]
        assert read == list(range(1, 13))
        head = await events.head(connection, world.tenant, route.execution_id)
        assert head == events.LogHead(12, 1, ExecutionState.RUNNING)


async def test_the_last_of_several_carries_the_executions_state(world: World) -> None:
    route = await world.task()
    await append(world, route, 3, ExecutionState.FAILED)
    *_, one, two, three = await world.log(route)
    assert [event.execution_state for event in (one, two, three)] == [None, None, ExecutionState.FAILED]
    row = await world.execution(route)
    assert (row["state"], row["completed_at"] is not None) == ("failed", True)
    await append(world, route, 1, ExecutionState.RUNNING)
    assert (await world.execution(route))["completed_at"] is None


async def test_what_a_reader_has_seen_never_grows_from_behind(world: World) -> None:
    """Numbers become visible in order: "everything after N" skips nothing, whoever writes at the same time."""
    route = await world.task()
    writers = asyncio.gather(*(append(world, route, n % 3 + 1) for n in range(60)))
    seen = 0
    async with world.pool.connection() as connection:
        while not writers.done() or seen < (await world.execution(route))["event_seq"]:
            for event in await events.after(connection, world.tenant, route.execution_id, seen, 1000):
                assert event.seq == seen + 1
                seen = event.seq
            await asyncio.sleep(0)
    last = await writers
    assert len(set(last)) == 60
    assert seen == max(last) == 122


async def test_a_log_that_is_not_there(world: World) -> None:
    route = await world.task()
    async with World.open(world.dsn, connections=1) as other:
        with pytest.raises(ExecutionNotFound):
            await append(other, route, 1)
        async with other.pool.connection() as connection:
            assert await events.head(connection, other.tenant, route.execution_id) is None
            assert await events.after(connection, other.tenant, route.execution_id, 0, 10) == []
            with pytest.raises(ExecutionNotFound):
                await events.append(connection, other.tenant, uuid4(), [NewEvent(delta())], positions={})
    assert len(await world.log(route)) == 2


async def test_a_list_of_some_types(world: World) -> None:
    """In order or newest first, page by page, with whatever changed the execution's state."""
    route = await world.task()
    await append(world, route, 5)
    await append(world, route, 1, ExecutionState.FAILED)
    await world.send(route)
    wanted = (EventType.TASK_STARTED, EventType.MESSAGE_ACCEPTED)
    async with world.pool.connection() as connection:

        async def listed(newest_first: bool, limit: int, tenant: UUID = world.tenant) -> list[int]:
            read: list[int] = []
            while page := await events.of_types(
                connection,
                tenant,
                route.execution_id,
                wanted,
                newest_first=newest_first,
                beyond=read[-1] if read else None,
                limit=limit,
            ):
                read += [event.seq for event in page]
            return read

        assert await listed(False, 2) == await listed(False, 100) == [2, 8, 9]
        assert await listed(True, 1) == await listed(True, 100) == [9, 8, 2]
        assert await listed(False, 100, uuid4()) == []
