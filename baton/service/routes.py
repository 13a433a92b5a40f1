"""Where tasks and executions live, remembered: that never changes, so that a send need not look it up twice.

What a caller may see, `baton.service.visibility` decides: only routes within its bounds count. One of another agent is
looked up every time, as one that is not there is: the two take the same time.
"""

from typing import Final

from cachetools import LRUCache

from baton.domain.ids import (
    ApprovalId,
    ArtifactId,
    Bounds,
    ErrandId,
    ExecutionId,
    ExecutionRoute,
    MessageId,
    TaskAddress,
    TaskById,
    TaskRoute,
    TenantId,
    whole_tenant,
)
from baton.store import approvals, artifacts, errands, executions, receipts, routes
from baton.store.pool import Pool

_REMEMBERED: Final = 50_000


class Routes:
    """A memory of the routes in use, by tenant and address. Whether a task still exists, its commit decides."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._tasks: LRUCache[tuple[TenantId, TaskAddress], TaskRoute] = LRUCache(_REMEMBERED)
        self._executions: LRUCache[tuple[TenantId, ExecutionId], ExecutionRoute] = LRUCache(_REMEMBERED)

    async def find(self, bounds: Bounds, address: TaskAddress) -> TaskRoute:
        """Where the tenant's task lives. Raises `ExecutionNotFound`, `TaskNotFound`, `AgentNotFound`."""
        known = self._tasks.get((bounds.tenant_id, address))
        if known is None or bounds.agent_id not in (None, known.agent_id):
            async with self._pool.connection() as connection:
                known = await routes.route(connection, bounds, address)
            self._tasks[bounds.tenant_id, address] = known
        return known

    async def execution(self, bounds: Bounds, execution_id: ExecutionId) -> ExecutionRoute:
        """Where the tenant's execution lives. Raises `ExecutionNotFound`."""
        known = self._executions.get((bounds.tenant_id, execution_id))
        if known is None or bounds.agent_id not in (None, known.agent_id):
            async with self._pool.connection() as connection:
                known = await executions.route(connection, bounds, execution_id)
            self._executions[bounds.tenant_id, execution_id] = known
        return known

    async def of_message(self, bounds: Bounds, message_id: MessageId) -> TaskRoute:
        """Where the task lives that the tenant's message was sent to. Raises `MessageNotFound`."""
        async with self._pool.connection() as connection:
            task_id = await receipts.home(connection, bounds, message_id)
        return await self.find(whole_tenant(bounds.tenant_id), TaskById(task_id))

    async def of_errand(self, bounds: Bounds, errand_id: ErrandId) -> TaskRoute:
        """Where the task lives that the tenant's errand is of. Raises `MessageNotFound`."""
        async with self._pool.connection() as connection:
            task_id = await errands.home(connection, bounds, errand_id)
        return await self.find(whole_tenant(bounds.tenant_id), TaskById(task_id))

    async def of_approval(self, bounds: Bounds, approval_id: ApprovalId) -> TaskRoute:
        """Where the task lives that asked the tenant's people for an approval. Raises `ApprovalNotFound`."""
        async with self._pool.connection() as connection:
            task_id = await approvals.task_of(connection, bounds, approval_id)
        return await self.find(whole_tenant(bounds.tenant_id), TaskById(task_id))

    async def of_artifact(self, bounds: Bounds, artifact_id: ArtifactId) -> TaskRoute:
        """Where the task lives that a tool made the tenant's artifact for. Raises `ArtifactNotFound`."""
        async with self._pool.connection() as connection:
            task_id = await artifacts.task_of(connection, bounds, artifact_id)
        return await self.find(whole_tenant(bounds.tenant_id), TaskById(task_id))

    def learn(self, execution: ExecutionRoute) -> None:
        """Remember an execution that was just made here, and its task where it is no plan."""
        tenant_id = execution.tenant_id
        self._executions[tenant_id, execution.execution_id] = execution
        if execution.only is not None:
            self._tasks[tenant_id, TaskById(execution.only.task_id)] = execution.only
