"""Finding a task by its integer."""

from api.ids import in_range
from baton.domain.agents import Principal
from baton.domain.errors import AgentNotFound
from baton.domain.ids import TaskByNumber, TaskRoute
from baton.service.context import Baton
from baton.service.visibility import may_use


def address(who: Principal, task_id: int, agent_id: int) -> TaskByNumber:
    """A task with the agent that it must belong to. Raises `AgentNotFound` where the key is for another agent,
    `TaskNotFound` beyond 64 bits."""
    if who.agent_number not in (None, agent_id):
        raise AgentNotFound("the key is for another agent")
    return TaskByNumber(in_range(task_id), agent_id)


async def find(baton: Baton, who: Principal, task_id: int) -> TaskRoute:
    """Where a task lives that the caller may see: a key for one agent sees that agent's. Raises `TaskNotFound`."""
    route = await baton.routes.find(who.tenant_id, TaskByNumber(in_range(task_id)))
    may_use(who, route)
    return route
