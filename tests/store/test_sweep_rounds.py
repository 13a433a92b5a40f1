"""Does a sweep come to all that it is to look at, although it looks at a limited number at a time?"""

from datetime import datetime
from typing import Any, cast

import pytest

from baton.service import stuck, sweeper
from baton.service.runs import Closed, Pending, Run, Runs
from baton.service.stuck import StuckRuns
from baton.service.sweeper import Sweeper
from baton.store.notify import Notifier
from tests.store.world import World
from workflows.contracts import task_workflow_id

MANY = 5


class Healthy(Runs):
    """Runs of which each is at work. ``looked``: the workflows that somebody has looked at, in order."""

    def __init__(self) -> None:
        self.looked: list[str] = []

    async def look(self, workflow_id: str) -> Run:
        self.looked.append(workflow_id)
        return Run("run", "running", (Pending("model_step", True, 1, None, None, None, None),), None)

    async def ended_from_outside(self, since: datetime) -> list[Closed]:
        return []


class Named:
    """A Temporal whose namespace is always the same one."""

    async def namespace_id(self) -> str:
        return "the only one"


async def test_tasks_that_are_rung_in_vain(lone_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody polls their queue, say: a run that is stuck is found all the same, among however many of them."""
    monkeypatch.setattr(stuck, "_BATCH", 2)
    monkeypatch.setattr(stuck, "_KNOWN_GOOD_SECONDS", 0.0)
    routes = [await lone_world.task() for _ in range(MANY)]
    await lone_world.execute("UPDATE tasks SET ring_at = now(), rings = 3 WHERE tenant_id = $1")
    runs = Healthy()
    unheard = StuckRuns(lone_world.pool, cast("Any", None), runs, Notifier(lone_world.dsn))
    for _ in range(3):
        await unheard.sweep()
    assert sorted(runs.looked) == sorted(task_workflow_id(str(route.task_id)) for route in routes)
    await unheard.sweep()
    assert len(runs.looked) == MANY + 2, "the next round begins"


async def test_turns_that_are_silent(lone_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "_BATCH", 2)
    monkeypatch.setattr(sweeper, "_KNOWN_GOOD_SECONDS", 0.0)
    routes = [await lone_world.task() for _ in range(MANY)]
    for route in routes:
        await lone_world.start(route, 1)
    await lone_world.execute("UPDATE tasks SET updated_at = now() - interval '1 hour' WHERE tenant_id = $1")
    runs = Healthy()
    sweeping = Sweeper(
        lone_world.pool,
        cast("Any", Named()),
        runs,
        Notifier(lone_world.dsn),
        interval_seconds=60,
        silent_seconds=60,
    )
    for _ in range(3):
        await sweeping.sweep()
    assert sorted(runs.looked) == sorted(task_workflow_id(str(route.task_id)) for route in routes)
