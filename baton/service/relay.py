"""The relay: rings again what nobody has taken up, so that no crash and no outage loses a doorbell.

It runs in every API process and every worker; rows are taken with SKIP LOCKED, so that they do not ring the same.
"""

import asyncio
import logging

from baton.domain.errors import NotFound
from baton.domain.ids import TaskById, whole_tenant
from baton.metrics.series import RELAYED
from baton.runtime.loop import Loop
from baton.service.doorbell import Doorbell
from baton.service.routes import Routes
from baton.store import plans, rings
from baton.store.pool import Pool
from baton.store.rings import DuePlan, DueTask, RingPace

_log = logging.getLogger(__name__)

#: A task that stays untouched (no worker polls its queue) is rung ever more rarely, at least so often.
_MOST_SECONDS = 300.0
#: After a look that found many, the next one comes so soon.
_SOON_SECONDS = 0.25


class Relay:
    """Looks for what is due, rings it, and puts it off further each time."""

    def __init__(
        self,
        pool: Pool,
        doorbell: Doorbell,
        routes: Routes,
        *,
        interval_seconds: float,
        again_seconds: float,
        batch: int,
        share: int,
    ) -> None:
        """``again_seconds``: a ring that was taken but not answered is repeated after so long, then twice that.

        ``batch``: rings per look; ``share``: those of one tenant that may be unanswered, so that none of them has its
        workflows' work queue up before that of the others.
        """
        self._pool = pool
        self._doorbell = doorbell
        self._routes = routes
        self._interval_seconds = interval_seconds
        self._many = share // 2
        self._pace = RingPace(batch, share, again_seconds, _MOST_SECONDS)
        self.loop = Loop("relay", interval_seconds, self.look)

    def start(self) -> None:
        """Begin to look. Needs a running loop."""
        self.loop.start()

    def wake(self) -> None:
        """Look now: much was left to the relay."""
        self.loop.wake()

    async def close(self) -> None:
        """Stop looking."""
        await self.loop.close()

    async def look(self) -> None:
        """Ring what is due now. Raises `Unavailable` while PostgreSQL is away."""
        async with self._pool.connection() as connection:
            tasks = await rings.due_tasks(connection, self._pace)
            due_plans = await rings.due_plans(connection, self._pace)
        results = await asyncio.gather(
            *(self._ring_task(due) for due in tasks), *(self._ring_plan(due) for due in due_plans)
        )
        RELAYED.labels("rung").inc(sum(results))
        RELAYED.labels("failed").inc(len(results) - sum(results))
        if rung := sum(results):
            _log.info("relay: signalled %d workflows again", rung)
        if len(tasks) + len(due_plans) >= self._many:
            asyncio.get_running_loop().call_later(_SOON_SECONDS, self.loop.wake)

    async def _ring_task(self, due: DueTask) -> bool:
        try:
            route = await self._routes.find(whole_tenant(due.tenant_id), TaskById(due.task_id))
        except NotFound:
            return False
        bell = due.bell
        rung = await self._doorbell.ring_task(
            route, bell.version, bell.turn, bell.interrupt, starts=bell.starts, unheard=True
        )
        if not rung:
            async with self._pool.connection() as connection:
                await rings.task_ring_failed(connection, due, self._interval_seconds)
        elif not bell.starts:
            async with self._pool.connection() as connection:
                await rings.task_told(connection, due)
        return rung

    async def _ring_plan(self, due: DuePlan) -> bool:
        async with self._pool.connection() as connection:
            route = await plans.route(connection, due.tenant_id, due.execution_id)
        rung = await self._doorbell.ring_plan(route, due.event_seq, unheard=True)
        if not rung:
            async with self._pool.connection() as connection:
                await rings.plan_ring_failed(connection, due, self._interval_seconds)
        return rung
