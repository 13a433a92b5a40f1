"""How activities ring: by what the composition root gives them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from baton.domain.bells import Bells, TaskBell
from baton.domain.ids import PlanRoute, TaskRoute


class Ringer(Protocol):
    """Rings in the background. Never raises and never waits: what it cannot ring, the relay does."""

    def ring_for(self, route: TaskRoute, bell: TaskBell) -> object:
        """Ring a task's workflow as ``bell`` says."""
        ...

    def ring_plan(self, route: PlanRoute, seq: int) -> object:
        """Ring a plan's workflow, starting it if there is none. ``seq``: the execution's last event."""
        ...


@dataclass(frozen=True, slots=True)
class Bellringer:
    """Rings what a commit of an activity makes due. ``notify`` hints that an execution's log has grown, ``interrupt``
    tells the worker of a task which turn is to stop."""

    ringer: Ringer
    notify: Callable[[UUID], None]
    interrupt: Callable[[UUID, int], None]

    def ring(self, route: TaskRoute, bells: Bells) -> None:
        """Tell whoever is to be told, in the background."""
        if bells.log:
            self.notify(route.execution_id)
        if bells.interrupt:
            self.interrupt(route.task_id, bells.interrupt)
        if bells.task is not None:
            self.ringer.ring_for(route, bells.task)
        if bells.plan is not None:
            self.ringer.ring_plan(route.plan, bells.plan)
