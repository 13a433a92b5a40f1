"""Where tasks live, remembered: routes never change, so that a send need not look one up twice."""

from typing import Final

from cachetools import LRUCache

from baton.domain.ids import ExecutionId, PlanRoute, TaskAddress, TaskRoute, TenantId
from baton.store import plans, tasks
from baton.store.pool import Pool

_REMEMBERED: Final = 50_000


class Routes:
    """A memory of the routes in use, by tenant and address. Whether a task still exists, its commit decides."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: LRUCache[tuple[TenantId, TaskAddress], TaskRoute] = LRUCache(_REMEMBERED)
        self._only: LRUCache[tuple[TenantId, ExecutionId], TaskRoute | None] = LRUCache(_REMEMBERED)

    async def find(self, tenant_id: TenantId, address: TaskAddress) -> TaskRoute:
        """Where the tenant's task lives. Raises `ExecutionNotFound`, `TaskNotFound`, `AgentNotFound`."""
        known = self._known.get((tenant_id, address))
        if known is None:
            async with self._pool.connection() as connection:
                known = await tasks.route(connection, tenant_id, address)
            self._known[tenant_id, address] = known
        return known

    async def only_task(self, tenant_id: TenantId, execution_id: ExecutionId) -> TaskRoute | None:
        """Where the only task of the tenant's execution lives; None if that is a plan. Raises `ExecutionNotFound`."""
        place = (tenant_id, execution_id)
        if place not in self._only:
            async with self._pool.connection() as connection:
                self._only[place] = await tasks.only_task(connection, tenant_id, execution_id)
        return self._only[place]

    async def plan(self, tenant_id: TenantId, execution_id: ExecutionId) -> PlanRoute:
        """Where the tenant's plan lives. Raises `ExecutionNotFound`."""
        async with self._pool.connection() as connection:
            return await plans.route(connection, tenant_id, execution_id)


def plan_of(route: TaskRoute) -> PlanRoute:
    """The plan that a task belongs to."""
    return PlanRoute(route.tenant_id, route.tenant, route.execution_id, route.queue)
