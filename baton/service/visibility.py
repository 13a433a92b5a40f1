"""What a key for one agent sees of its tenant: that agent's tasks, and executions of none but its tasks.

Everything else answers as what is not there.
"""

from baton.domain.agents import Principal
from baton.domain.errors import ExecutionNotFound, TaskNotFound
from baton.domain.ids import ExecutionId, TaskRoute
from baton.store import executions
from baton.store.pool import Connection


def may_use(who: Principal, route: TaskRoute) -> None:
    """Raises `TaskNotFound` where a key is for another agent than the task's."""
    if not who.sees(route.agent_id):
        raise TaskNotFound("there is no such task")


async def may_use_execution(connection: Connection, who: Principal, execution_id: ExecutionId) -> None:
    """Raises `ExecutionNotFound` where a key is for another agent; only such keys cost a query.

    An execution that is not there at all is left to what is asked of it.
    """
    if who.agent_id is not None and not await executions.is_of_agent(
        connection, who.tenant_id, execution_id, who.agent_id
    ):
        raise ExecutionNotFound("there is no such execution")
