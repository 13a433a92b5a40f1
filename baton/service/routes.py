"""Where tasks and executions live, remembered: that never changes, so that a send need not look it up twice.

What a caller may see, `baton.service.visibility` decides, and says here: with an ``agent_id`` only that agent's routes
count. One of another agent is looked up every time, as one that is not there is: the two take the same time.
"""

from typing import Final

from cachetools import LRUCache

from baton.domain.ids import (
    AgentId,
    ApprovalId,
    ErrandId,
    ExecutionId,
    ExecutionRoute,
    MessageId,
    TaskAddress,
    TaskById,
    TaskOfExecution,
    TaskRoute,
    TenantId,
)
from baton.store import approvals, executions, receipts, routes
from baton.store.pool import Pool

_REMEMBERED: Final = 50_000


class Routes:
    """A memory of the routes in use, by tenant and address. Whether a task still exists, its commit decides."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._tasks: LRUCache[tuple[TenantId, TaskAddress], TaskRoute] = LRUCache(_REMEMBERED)
        self._executions: LRUCache[tuple[TenantId, ExecutionId], ExecutionRoute] = LRUCache(_REMEMBERED)

    async def find(self, tenant_id: TenantId, address: TaskAddress, *, agent_id: AgentId | None = None) -> TaskRoute:
        """Where the tenant's task lives. Raises `ExecutionNotFound`, `TaskNotFound`, `AgentNotFound`."""
        known = self._tasks.get((tenant_id, address))
        if known is None or agent_id not in (None, known.agent_id):
            async with self._pool.connection() as connection:
                known = await routes.route(connection, tenant_id, address, agent_id=agent_id)
            self._tasks[tenant_id, address] = known
        return known

    async def execution(
        self, tenant_id: TenantId, execution_id: ExecutionId, *, agent_id: AgentId | None = None
    ) -> ExecutionRoute:
        """Where the tenant's execution lives. Raises `ExecutionNotFound`."""
        known = self._executions.get((tenant_id, execution_id))
        if known is None or agent_id not in (None, known.agent_id):
            async with self._pool.connection() as connection:
                known = await executions.route(connection, tenant_id, execution_id, agent_id=agent_id)
            self._executions[tenant_id, execution_id] = known
        return known

    async def of_message(
        self, tenant_id: TenantId, message_id: MessageId, *, agent_id: AgentId | None = None
    ) -> TaskRoute:
        """Where the task lives that the tenant's message was sent to. Raises `MessageNotFound`."""
        async with self._pool.connection() as connection:
            task_id = await receipts.home(connection, tenant_id, message_id, agent_id=agent_id)
        return await self.find(tenant_id, TaskById(task_id))

    async def of_errand(
        self, tenant_id: TenantId, errand_id: ErrandId, *, agent_id: AgentId | None = None
    ) -> TaskRoute:
        """Where the task lives that the tenant's errand is of. Raises `MessageNotFound`."""
        async with self._pool.connection() as connection:
            task_id = await receipts.errand_home(connection, tenant_id, errand_id, agent_id=agent_id)
        return await self.find(tenant_id, TaskById(task_id))

    async def of_approval(
        self, tenant_id: TenantId, approval_id: ApprovalId, *, agent_id: AgentId | None = None
    ) -> TaskRoute:
        """Where the task lives that asked the tenant's people for an approval. Raises `ApprovalNotFound`."""
        async with self._pool.connection() as connection:
            task_id = await approvals.task_of(connection, tenant_id, approval_id, agent_id=agent_id)
        return await self.find(tenant_id, TaskById(task_id))

    def learn(self, execution: ExecutionRoute) -> None:
        """Remember an execution that was just made here, and its task where it is no plan."""
        tenant_id = execution.tenant_id
        self._executions[tenant_id, execution.execution_id] = execution
        if execution.only is not None:
            self._tasks[tenant_id, TaskById(execution.only.task_id)] = execution.only
            self._tasks[tenant_id, TaskOfExecution(execution.execution_id)] = execution.only
