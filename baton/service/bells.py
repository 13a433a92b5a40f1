"""Ringing for what was committed here."""

import asyncio

from baton.domain.bells import Bells
from baton.domain.ids import TaskRoute
from baton.service.context import Core


def ring(core: Core, route: TaskRoute, bells: Bells) -> asyncio.Future[bool] | None:
    """Tell whoever is to be told, in the background. The ring of the task's workflow, None where it is not rung."""
    if bells.log:
        core.notifier.events(route.execution_id)
    if bells.interrupt:
        core.notifier.interrupt(route.task_id, bells.interrupt)
    if bells.plan is not None:
        core.doorbell.ring_plan(route.plan, bells.plan)
    return None if bells.task is None else core.doorbell.ring_for(route, bells.task)
