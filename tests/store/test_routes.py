"""Are the routes in use those that are remembered?"""

from collections.abc import AsyncGenerator

import pytest

from baton.domain.errors import Unavailable
from baton.domain.ids import TaskById, TaskRoute, whole_tenant
from baton.service import routes
from baton.service.routes import Routes
from tests.store.world import World


@pytest.fixture
async def world(shared_database: str) -> AsyncGenerator[World]:
    """A tenant with connections of its own, which a test may close."""
    async with World.open(shared_database) as world:
        yield world


async def test_what_is_not_in_use_is_forgotten_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_REMEMBERED", 2)
    remembered = Routes(world.pool)
    hot, cold, new = [await world.task() for _ in range(3)]

    async def find(task: TaskRoute) -> TaskRoute:
        return await remembered.find(whole_tenant(world.tenant), TaskById(task.task_id))

    for task in (hot, cold, hot, new):
        assert await find(task) == task
    await world.pool.close()  # from here on only what is remembered is found
    assert [await find(task) for task in (hot, new)] == [hot, new]
    with pytest.raises(Unavailable):
        await find(cold)
