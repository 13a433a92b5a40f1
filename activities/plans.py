"""A plan's look at its tasks."""

from collections.abc import Callable, Sequence
from uuid import UUID

from temporalio import activity

from activities.details import of_plan
from activities.rings import Ringer
from baton.domain.authors import Author
from baton.domain.ids import TenantId
from baton.store import plan_control, plans, rings
from baton.store.plans import PlanStanding
from baton.store.pool import Pool
from baton.store.rings import TaskToRing
from baton.store.routes import routes_of
from workflows.contracts import PlanOutcome, PlanStart


class PlanActivities:
    """The activities of `PlanWorkflow`."""

    def __init__(
        self,
        pool: Pool,
        ringer: Ringer,
        notify: Callable[[UUID], None],
        wake_relay: Callable[[], None],
        *,
        words: bool = True,
    ) -> None:
        """``words``: whether Temporal may show the titles of tasks."""
        self._words = words
        self._pool = pool
        self._wake_relay = wake_relay
        self._ringer = ringer
        self._notify = notify

    @activity.defn(name="advance_plan")
    async def advance_plan(self, plan: PlanStart) -> PlanOutcome:
        """See `workflows.contracts.advance_plan`."""
        tenant, execution = UUID(plan.tenant), UUID(plan.execution)
        async with self._pool.transaction(execution) as connection:
            standing = await plans.advance_plan(connection, tenant, execution)
        self._notify(execution)
        async with self._pool.connection() as connection:
            bells = await rings.bells(connection, tenant, standing.to_ring)
        await self._ring(tenant, bells)
        if standing.relayed:
            self._wake_relay()
        return self._outcome(standing)

    @activity.defn(name="cancel_plan")
    async def cancel_plan(self, plan: PlanStart) -> PlanOutcome:
        """See `workflows.contracts.cancel_plan`."""
        tenant, execution = UUID(plan.tenant), UUID(plan.execution)
        async with self._pool.transaction(execution) as connection:
            stopped = await plan_control.cancel_all(
                connection, tenant, execution, Author.in_temporal(), "cancelled in Temporal"
            )
            standing = await plans.advance_plan(connection, tenant, execution)
        self._notify(execution)
        await self._ring(tenant, stopped.to_ring)
        if len(stopped.changed) > len(stopped.to_ring):
            self._wake_relay()
        return self._outcome(standing)

    async def _ring(self, tenant: TenantId, bells: Sequence[TaskToRing]) -> None:
        async with self._pool.connection() as connection:
            routes = await routes_of(connection, tenant, [rung.task_id for rung in bells])
        for rung in bells:
            self._ringer.ring_for(routes[rung.task_id], rung.bell)

    def _outcome(self, standing: PlanStanding) -> PlanOutcome:
        return PlanOutcome(
            state=standing.state,
            seq=standing.event_seq,
            over=all(task.state.is_over for task in standing.tasks),
            details=of_plan(standing, words=self._words),
        )
