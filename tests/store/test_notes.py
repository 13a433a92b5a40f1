"""Notes: shared by the tasks of an execution, written by calls under way and by nobody else."""

from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.store import notes
from baton.store.notes import MOST_NOTES
from tests.store.test_tools import begin, calling
from tests.store.world import World, call, key


async def write(world: World, route: TaskRoute, name: str, text: str) -> bool:
    async with world.pool.transaction() as connection:
        return await notes.write(connection, key(route, 1), "a", name, text)


async def test_notes_are_replaced_by_name_and_said_in_the_log(world: World) -> None:
    route = await calling(world, "a")
    other = await calling(world, "a")
    await begin(world, route, "a")
    for name, text in (("one", "1"), ("two", "2"), ("one", "uno"), ("one", "uno")):
        assert await write(world, route, name, text)
    async with world.pool.connection() as connection:
        assert list((await notes.read(connection, world.tenant, route.execution_id)).items()) == [
            ("two", "2"),
            ("one", "uno"),
        ]
        assert await notes.read(connection, world.tenant, other.execution_id) == {}
    said = [event.data for event in await world.log(route) if event.type is EventType.NOTE_WRITTEN]
    assert [(data["name"], data["text"], data["call_id"]) for data in said] == [
        ("one", "1", "a"),
        ("two", "2", "a"),
        ("one", "uno", "a"),
    ]


async def test_a_call_whose_turn_is_over_writes_nothing(world: World) -> None:
    route = await calling(world, "a")
    await begin(world, route, "a")
    await world.cancel(route)
    assert not await write(world, route, "late", "x")
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, calls=[call("a")])
    async with world.pool.transaction() as connection:
        assert not await notes.write(connection, key(route, 2), "a", "early", "x")


async def test_there_are_only_so_many(world: World) -> None:
    route = await calling(world, "a")
    for n in range(MOST_NOTES):
        assert await write(world, route, f"n{n}", "x")
    assert not await write(world, route, "one more", "x")
    assert await write(world, route, "n0", "y")
