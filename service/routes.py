"""Where tasks live, remembered: routes never change, so that a send need not look one up twice."""

from domain.ids import ExecutionId, PlanRoute, TaskAddress, TaskRoute, TenantId
from store import plans, tasks
from store.pool import Pool

_REMEMBERED = 50_000


class Routes:
    """A bounded memory of routes, by tenant and address. Whether a task still exists, its commit decides."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[tuple[TenantId, TaskAddress], TaskRoute] = {}

    async def find(self, tenant_id: TenantId, address: TaskAddress) -> TaskRoute:
        """Where the tenant's task lives. Raises `ExecutionNotFound`, `TaskNotFound`, `AgentNotFound`."""
        known = self._known.get((tenant_id, address))
        if known is None:
            async with self._pool.connection() as connection:
                known = await tasks.route(connection, tenant_id, address)
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[tenant_id, address] = known
        return known

    async def plan(self, tenant_id: TenantId, execution_id: ExecutionId) -> PlanRoute:
        """Where the tenant's plan lives. Raises `ExecutionNotFound`."""
        async with self._pool.connection() as connection:
            return await plans.route(connection, tenant_id, execution_id)


def plan_of(route: TaskRoute) -> PlanRoute:
    """The plan that a task belongs to."""
    return PlanRoute(route.tenant_id, route.tenant, route.execution_id, route.queue)
