"""How activities ring: by whatever the composition root gives them."""

from typing import Protocol

from baton.domain.ids import PlanRoute, TaskRoute


class Ringer(Protocol):
    """Rings in the background. Never raises and never waits: what it cannot ring, the relay does."""

    def ring_task(self, route: TaskRoute, seq: int, turn: int, interrupt: int = 0) -> object:
        """Ring a task's workflow, starting it at ``turn`` if there is none. ``seq``: the task's version."""
        ...

    def ring_plan(self, route: PlanRoute, seq: int) -> object:
        """Ring a plan's workflow, starting it if there is none. ``seq``: the execution's last event."""
        ...
