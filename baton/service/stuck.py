"""Runs that are stuck: their workflow task fails again and again, so that nothing of them moves any more.

The code has changed under their history, was rolled back, or they are pinned to a build that nobody runs. PostgreSQL is
the truth, so that such a run is thrown away: another one takes its place, at the turn that is due.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from baton.domain.errors import NotFound
from baton.domain.events import WorkflowReplaced
from baton.domain.ids import ExecutionId, TaskById, TaskId, TenantId, whole_tenant
from baton.metrics.series import REPLACED
from baton.service.rounds import Round
from baton.service.runs import Run, Runs, Stuck
from baton.service.temporal import Temporal
from baton.store import plans, rings, routes, sweeps
from baton.store.notify import Notifier
from baton.store.pool import Pool
from baton.store.sweeps import OpenTurn
from workflows.contracts import plan_workflow_id, task_workflow_id

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

#: A run that has something under way, a step that waits for a slot say, is not looked at again for so long.
_KNOWN_GOOD_SECONDS: Final = 15.0
#: A question's timer fires in its workflow; one that is due for longer was not heard.
_TIMER_SECONDS: Final = 5.0
_BATCH: Final = 500
_AT_ONCE: Final = 8
#: A run that took another's place and is stuck, too, with nothing done in between, is given so long; then twice that.
_PAUSE_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 3600.0


@dataclass(slots=True)
class _Replaced:
    """How often a workflow's run was replaced with nothing done in between (``mark`` tells), and when last."""

    mark: int
    times: int
    at: float

    @property
    def pause_seconds(self) -> float:
        return min(_PAUSE_SECONDS * 2 ** (self.times - 1), _LONGEST_PAUSE_SECONDS)


class StuckRuns:
    """Finds runs that are stuck among those that were rung in vain, and replaces them."""

    def __init__(self, pool: Pool, temporal: Temporal, runs: Runs, notifier: Notifier) -> None:
        self._pool = pool
        self._temporal = temporal
        self._runs = runs
        self._notifier = notifier
        self._known_good: dict[UUID, float] = {}
        self._tasks = Round[TaskId](0.0)
        self._plans = Round[ExecutionId](0.0)
        self._replaced: dict[UUID, _Replaced] = {}

    async def sweep(self) -> None:
        """Look at what was rung in vain. Raises `Unavailable`, `TemporalRefused`."""
        now = time.monotonic()
        self._known_good = {key: at for key, at in self._known_good.items() if now - at < _KNOWN_GOOD_SECONDS}
        self._replaced = {
            key: replaced
            for key, replaced in self._replaced.items()
            if now - replaced.at < 2 * max(replaced.pause_seconds, 60.0)
        }
        async with self._pool.connection() as connection:
            passed = [*self._known_good, *self._tasks.seen()]
            turns = await sweeps.unheard_tasks(connection, _TIMER_SECONDS, passed, _BATCH)
            passed = [*self._known_good, *self._plans.seen()]
            executions = await sweeps.unheard_plans(connection, passed, _BATCH)
        self._tasks.found(len(turns), _BATCH)
        self._tasks.add(turn.task_id for turn in turns)
        self._plans.found(len(executions), _BATCH)
        self._plans.add(execution_id for _, execution_id in executions)
        await _side_by_side(self._look_at_task, turns)
        await _side_by_side(self._look_at_plan, executions)

    async def mend(self, turn: OpenTurn, run: Run) -> bool:
        """Replace a task's run if it is stuck for good. Whether it is stuck at all: then nothing else is of use.

        A step that is under way goes on without the workflow, and records what it comes to: it is waited for.
        """
        if run.stuck is None:
            return False
        if run.stuck.is_lasting and not run.at_work:
            try:
                await self._replace_task(turn, run.run_id, run.stuck)
            except NotFound:  # deleted since
                return True
        return True

    async def _look_at_task(self, turn: OpenTurn) -> None:
        run = await self._runs.look(task_workflow_id(str(turn.task_id)))
        if run is not None and run.status == "running" and not await self.mend(turn, run) and run.has_worker:
            self._known_good[turn.task_id] = time.monotonic()

    async def _replace_task(self, turn: OpenTurn, run_id: str, stuck: Stuck) -> None:
        async with self._pool.connection() as connection:
            route = await routes.route(connection, whole_tenant(turn.tenant_id), TaskById(turn.task_id))
            bell = await rings.bell(connection, route)
        times = self._times(turn.task_id, bell.version)
        if not times:
            return
        instead = _instead(run_id, stuck)
        await self._temporal.ring_task(route, bell.version, bell.turn, bell.interrupt, instead=instead)
        await self._pass_on(task_workflow_id(str(turn.task_id)), run_id, times)
        async with self._pool.transaction() as connection:
            await sweeps.task_workflow_replaced(connection, turn, _why(run_id, stuck))
        self._say("task", turn.task_id, turn.execution_id, stuck)

    async def _look_at_plan(self, plan: tuple[TenantId, ExecutionId]) -> None:
        tenant_id, execution_id = plan
        run = await self._runs.look(plan_workflow_id(str(execution_id)))
        if run is not None and run.stuck is None and run.has_worker:
            self._known_good[execution_id] = time.monotonic()
        if run is None or run.status != "running" or run.stuck is None or not run.stuck.is_lasting or run.at_work:
            return
        try:
            await self._replace_plan(tenant_id, execution_id, run.run_id, run.stuck)
        except NotFound:
            return

    async def _replace_plan(self, tenant_id: TenantId, execution_id: ExecutionId, run_id: str, stuck: Stuck) -> None:
        async with self._pool.connection() as connection:
            route = await plans.route(connection, tenant_id, execution_id)
            seq = await sweeps.last_event(connection, tenant_id, execution_id)
        times = self._times(execution_id, seq)
        if not times:
            return
        await self._temporal.ring_plan(route, seq, instead=_instead(run_id, stuck))
        await self._pass_on(plan_workflow_id(str(execution_id)), run_id, times)
        async with self._pool.transaction() as connection:
            await sweeps.plan_workflow_replaced(connection, tenant_id, execution_id, _why(run_id, stuck))
        self._say("plan", execution_id, execution_id, stuck)

    def _times(self, key: UUID, mark: int) -> int:
        """How often a workflow's run has been replaced in a row, with this time; 0 where it may not be replaced yet."""
        now, before = time.monotonic(), self._replaced.get(key)
        if before is not None and before.mark == mark:
            if now - before.at < before.pause_seconds:
                return 0
            times = before.times + 1
        else:
            times = 1
        self._replaced[key] = _Replaced(mark, times, now)
        return times

    async def _pass_on(self, workflow_id: str, run_id: str, times: int) -> None:
        """Give the new run what people have sent to the one before. Not for ever: it may be what that was stuck for."""
        unheard = await self._runs.unheard(workflow_id, run_id)
        if times > 1 and (unheard.signals or unheard.cancelled):
            _log.warning(
                "what was sent to %s in Temporal is dropped: its runs are stuck one after another", workflow_id
            )
            return
        for signal in unheard.signals:
            await self._temporal.send_again(workflow_id, signal)
        if unheard.cancelled:
            await self._temporal.cancel(workflow_id)

    def _say(self, kind: str, key: UUID, execution_id: ExecutionId, stuck: Stuck) -> None:
        REPLACED.labels(kind, stuck.cause).inc()
        _log.warning("another run takes the place of that of %s %s: %s", kind, key, stuck.words)
        self._notifier.events(execution_id)


async def _side_by_side(look: Callable[[_T], Awaitable[None]], items: Iterable[_T]) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def behind_gate(item: _T) -> None:
        async with gate:
            await look(item)

    await asyncio.gather(*(behind_gate(item) for item in items))


def _instead(run_id: str, stuck: Stuck) -> str:
    return f"Takes the place of run {run_id}: {stuck.words}."


def _why(run_id: str, stuck: Stuck) -> WorkflowReplaced:
    return WorkflowReplaced(cause=stuck.cause, error=stuck.error, failures=stuck.failures, run_id=run_id)
