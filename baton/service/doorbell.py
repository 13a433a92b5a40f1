"""The doorbell: tells a workflow to look, in the background and coalesced.

Nothing depends on a ring being heard: what nobody takes up, the relay rings again. So a ring never raises, and what
comes for a workflow while one is on its way goes with the next.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from cachetools import LRUCache

from baton.domain.bells import TaskBell
from baton.domain.errors import Unavailable
from baton.domain.ids import PlanRoute, TaskRoute, TenantId
from baton.metrics.series import DOORBELLS
from baton.runtime.shares import Shares
from baton.service.temporal import Temporal, TemporalRefused

_log = logging.getLogger(__name__)
_RUNG, _AWAY, _REFUSED = (DOORBELLS.labels(outcome) for outcome in ("rung", "away", "refused"))

#: The workflows that were told to take a turn are remembered, so many.
_REMEMBERED = 20_000
#: While Temporal refuses rings for the same reason, that is logged so often.
_SAY_AGAIN_SECONDS = 60.0


@dataclass(slots=True)
class _Bell:
    """The rings of one workflow: the highest sequence number and interrupt asked for, and who waits for them.

    ``runs``: nobody who rings has reason to think that the workflow does not run; ``starts``: one of them has something
    for it to do; ``unheard``: one of them rings again what nobody has taken up.
    """

    seq: int = 0
    turn: int = 0
    interrupt: int = 0
    runs: bool = True
    starts: bool = False
    unheard: bool = False
    waiting: list[asyncio.Future[bool]] = field(default_factory=list["asyncio.Future[bool]"])
    again: bool = True


class Doorbell:
    """Rings workflows, at most one ring per workflow under way. Tenants have shares of those under way at once."""

    def __init__(self, temporal: Temporal, concurrency: int) -> None:
        self._temporal = temporal
        self._slots = Shares(concurrency, most_waiting=math.inf)
        self._bells: dict[UUID, _Bell] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused = "", 0.0
        self._told: LRUCache[UUID, tuple[int, asyncio.Future[bool]]] = LRUCache(_REMEMBERED)

    def ring_task(
        self,
        route: TaskRoute,
        seq: int,
        turn: int,
        interrupt: int = 0,
        *,
        runs: bool = False,
        starts: bool = True,
        unheard: bool = False,
    ) -> asyncio.Future[bool]:
        """Ring a task's workflow. The future says whether Temporal has taken a ring that covers ``seq``.

        ``turn``: the one to start with if there is no workflow; ``interrupt``: a turn to stop; ``runs``: the workflow
        is likely to run, which makes it cheaper; ``starts``: False where one that does not run need not hear of it;
        ``unheard``: nobody has taken up what was rung for before.
        """
        return self._ring(
            route.tenant_id,
            route.task_id,
            seq,
            turn,
            interrupt,
            runs,
            starts,
            unheard,
            lambda bell: self._temporal.ring_task(
                route, bell.seq, bell.turn, bell.interrupt, runs=bell.runs, starts=bell.starts, unheard=bell.unheard
            ),
        )

    def ring_for(self, route: TaskRoute, bell: TaskBell) -> asyncio.Future[bool]:
        """Ring as ``bell`` says.

        Once Temporal takes a ring for the turn that claims a message the workflow comes to it, unless the task ceases
        to run: until then it is not told again, however many messages come.
        """
        told = self._told.get(route.task_id)
        if told and told[0] == bell.claims and bell.at_work:
            return told[1]
        rung = self.ring_task(route, bell.version, bell.turn, bell.interrupt, runs=bell.runs, starts=bell.starts)
        if bell.claims:
            self._remember(route.task_id, bell.claims, rung)
        return rung

    def ring_plan(self, route: PlanRoute, seq: int, *, unheard: bool = False) -> asyncio.Future[bool]:
        """Ring a plan's workflow, like `ring_task`."""
        return self._ring(
            route.tenant_id,
            route.execution_id,
            seq,
            0,
            0,
            False,
            True,
            unheard,
            lambda bell: self._temporal.ring_plan(route, bell.seq, unheard=bell.unheard),
        )

    async def close(self) -> None:
        """Wait a moment for the rings under way; the relay of another process does the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        for task in list(self._tasks):
            task.cancel()

    def _ring(
        self,
        tenant_id: TenantId,
        key: UUID,
        seq: int,
        turn: int,
        interrupt: int,
        runs: bool,
        starts: bool,
        unheard: bool,
        ring: Callable[[_Bell], Awaitable[None]],
    ) -> asyncio.Future[bool]:
        bell = self._bells.get(key)
        if bell is None:
            bell = self._bells[key] = _Bell()
            task = asyncio.create_task(self._ring_until_quiet(tenant_id, key, bell, ring))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        bell.seq, bell.turn = max(bell.seq, seq), max(bell.turn, turn)
        bell.interrupt = max(bell.interrupt, interrupt)
        bell.runs = bell.runs and runs
        bell.starts = bell.starts or starts
        bell.unheard = bell.unheard or unheard
        bell.again = True
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        bell.waiting.append(future)
        return future

    async def _ring_until_quiet(
        self, tenant_id: TenantId, key: UUID, bell: _Bell, ring: Callable[[_Bell], Awaitable[None]]
    ) -> None:
        try:
            while bell.again:
                await self._slots.wait(tenant_id)
                try:
                    bell.again = False
                    waiting, bell.waiting = bell.waiting, []
                    rung = await self._try(bell, ring, key)
                finally:
                    self._slots.back(tenant_id)
                for future in waiting:
                    if not future.done():
                        future.set_result(rung)
        finally:
            del self._bells[key]
            for future in bell.waiting:
                if not future.done():
                    future.set_result(False)

    async def _try(self, bell: _Bell, ring: Callable[[_Bell], Awaitable[None]], key: UUID) -> bool:
        began = time.perf_counter()
        try:
            await ring(bell)
        except Unavailable as error:
            _log.warning("%s was not rung (%s): left to the relay", key, error)
            _AWAY.observe(time.perf_counter() - began)
            return False
        except TemporalRefused as error:
            self._say_refused(key, error)
            _REFUSED.observe(time.perf_counter() - began)
            return False
        _RUNG.observe(time.perf_counter() - began)
        return True

    def _say_refused(self, key: UUID, error: TemporalRefused) -> None:
        """Repeat what Temporal says: all rings may be refused for the same reason, which is said now and then."""
        now = time.monotonic()
        if error.said != self._refused[0] or now - self._refused[1] > _SAY_AGAIN_SECONDS:
            self._refused = error.said, now
            _log.error("%s was not rung, and the relay tries again: %s", key, error)

    def _remember(self, task_id: UUID, claiming: int, rung: asyncio.Future[bool]) -> None:
        self._told[task_id] = claiming, rung

        def forget_failed(done: asyncio.Future[bool]) -> None:
            if (done.cancelled() or not done.result()) and self._told.get(task_id) == (claiming, rung):
                del self._told[task_id]

        rung.add_done_callback(forget_failed)
