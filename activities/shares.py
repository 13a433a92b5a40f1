"""A worker's slots, shared by the tenants: a step that would take its tenant more than its share is handed back.

Temporal does not know which tenant a slot is for when it gives a worker a step, and what runs is not taken away again.
So the worker accepts more than it has slots for, and hands back to Temporal, as a failed attempt that is tried again
later, what finds none. Those waiting steps cost the worker nothing, and another worker may have a slot for them.
"""

import time
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from baton.metrics.series import HANDED_BACK, STEPS_MOST, STEPS_RUNNING
from baton.runtime.shares import Shares
from baton.store.pool import spending
from workflows.contracts import NO_SLOT, StepRef, ToolRef

#: A step that was handed back comes again after so long at the soonest, and at the latest.
_SOONEST_SECONDS: Final = 1.0
_LATEST_SECONDS: Final = 300.0
#: Of one tenant's, so many come again in a second, one after the other, however many wait.
_RETURNS_PER_SECOND: Final = 10.0


class Returns:
    """When those come again that were handed back: one tenant's one after the other."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def pause_seconds(self, tenant: str, now: float) -> float:
        """How long the next one waits: until all that were handed back before it have come."""
        self._last = {other: at for other, at in self._last.items() if at > now}
        in_turn = self._last.get(tenant, now) + 1 / _RETURNS_PER_SECOND
        at = min(max(in_turn, now + _SOONEST_SECONDS), now + _LATEST_SECONDS)
        self._last[tenant] = at
        return at - now


class FairSteps(Interceptor):
    """Lets model steps and tool calls run only in a slot of their tenant's. What merely writes needs none.

    What an activity spends, database connections say, is its tenant's, too.
    """

    def __init__(self, slots: int) -> None:
        self._shares = Shares(slots)
        self._returns = Returns()
        STEPS_RUNNING.set_function(lambda: self._shares.taken)
        STEPS_MOST.set(slots)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the gate before an activity."""
        return _Gate(next, self._shares, self._returns)


class _Gate(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, shares: Shares, returns: Returns) -> None:
        super().__init__(next)
        self._shares = shares
        self._returns = returns

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        (given,) = input.args
        tenant = given.ref.tenant if hasattr(given, "ref") else given.tenant
        spending.set(UUID(tenant))
        if not isinstance(given, StepRef | ToolRef):
            return await super().execute_activity(input)
        if not self._shares.take(tenant):
            raise self._none_free(tenant)
        try:
            return await super().execute_activity(input)
        finally:
            self._shares.back(tenant)

    def _none_free(self, tenant: str) -> ApplicationError:
        HANDED_BACK.labels(NO_SLOT).inc()
        return ApplicationError(
            NO_SLOT,
            self._shares.held(tenant),
            type=NO_SLOT,
            next_retry_delay=timedelta(seconds=self._returns.pause_seconds(tenant, time.monotonic())),
            category=ApplicationErrorCategory.BENIGN,
        )
