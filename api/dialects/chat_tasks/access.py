"""Finding a task by its integer."""

from api.ids import in_range
from domain.agents import Principal
from domain.errors import TaskNotFound
from domain.ids import TaskByNumber, TaskRoute
from service.context import Baton


def address(task_id: int, agent_id: int) -> TaskByNumber:
    """A task with the agent that it must belong to. Raises `TaskNotFound` beyond 64 bits."""
    return TaskByNumber(in_range(task_id), agent_id)


async def find(baton: Baton, who: Principal, task_id: int) -> TaskRoute:
    """Where a task lives that the caller may see: a key for one agent sees that agent's. Raises `TaskNotFound`."""
    route = await baton.routes.find(who.tenant_id, TaskByNumber(in_range(task_id)))
    if who.agent_id not in (None, route.agent_id):
        raise TaskNotFound("there is no such task")
    return route
