"""Is a large plan begun a few workflows at a time, without a wait for those that come later?"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from temporalio.testing import ActivityEnvironment

from activities.plans import PlanActivities
from baton.domain.bells import TaskBell
from baton.domain.ids import PlanRoute, TaskRoute
from baton.store.changes import TOLD_AT_ONCE
from tests.store.world import World
from workflows.contracts import PlanStart


@dataclass
class Heard:
    """Writes down who is rung, and how often the relay is woken."""

    rung: list[UUID] = field(default_factory=list[UUID])
    woken: int = 0

    def ring_for(self, route: TaskRoute, bell: TaskBell) -> None:
        """As a doorbell does."""
        assert bell.starts
        self.rung.append(route.task_id)

    def ring_plan(self, route: PlanRoute, seq: int) -> None:
        """As a doorbell does; no plan is rung here."""
        raise AssertionError(f"{route} was rung")

    def wake(self) -> None:
        """As a relay is."""
        self.woken += 1


@pytest.mark.parametrize(("tasks", "woken"), [(TOLD_AT_ONCE, 0), (TOLD_AT_ONCE + 1, 1)])
async def test_what_is_not_rung_at_once_is_left_to_a_relay_that_looks_now(world: World, tasks: int, woken: int) -> None:
    routes = await world.plan(*[()] * tasks)
    heard = Heard()
    plans = PlanActivities(world.pool, heard, lambda execution: None, heard.wake)
    start = PlanStart(str(world.tenant), str(routes[0].execution_id))
    outcome: Any = await ActivityEnvironment().run(plans.advance_plan, start)
    assert outcome.state == "running"
    assert (sorted(heard.rung), heard.woken) == (sorted(route.task_id for route in routes[:TOLD_AT_ONCE]), woken)
