"""The sweeper: notices what others do behind Baton's back, and sets the state that follows.

A workflow terminated, cancelled or timed out in Temporal's UI, or a namespace that lost it: within a minute the task's
state says so, and the event log why. So with rows that were changed by hand, where there are up to 2,000 executions;
of more, each sweep compares as many. A run that is stuck gives way to another one within half a minute. It runs in
every worker; the one with the lease sweeps.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from baton.domain.errors import NotFound, Unavailable
from baton.domain.ids import ExecutionId, TaskId, TenantId
from baton.metrics.series import LOST, MENDED
from baton.runtime.loop import Loop
from baton.service.rounds import Round
from baton.service.runs import Runs
from baton.service.stuck import StuckRuns
from baton.service.temporal import Temporal, TemporalRefused
from baton.store import starts, sweeps
from baton.store.notify import Notifier
from baton.store.pool import Pool
from baton.store.sweeps import OpenTurn
from workflows.contracts import task_workflow_id

_log = logging.getLogger(__name__)

#: A turn that was seen at work is not asked about again for so long.
_KNOWN_GOOD_SECONDS: Final = 15.0
#: How far back a sweep asks for workflows that were ended from outside.
_BACK: Final = timedelta(minutes=3)
_BATCH: Final = 200
#: So many executions are compared with their tasks and messages in one sweep; the next one goes on where it ended.
_AUDITED: Final = 2000
_AT_ONCE: Final = 8
#: How long a repeated start is told of the first: what the API promises.
_STARTS_KEPT_SECONDS: Final = 24 * 3600.0
#: Runs that are stuck or lost keep somebody waiting: they are looked for so many times as often as all else.
_LOOKS: Final = 2.5
#: A worker that has not swept for so many intervals may be gone: another one takes over.
_LEASE_INTERVALS: Final = 1.5


class Sweeper:
    """Sweeps every ``interval_seconds``, and looks more often for runs that do nothing: those of turns that have
    written nothing for ``silent_seconds``, and those that were rung in vain."""

    def __init__(
        self,
        pool: Pool,
        temporal: Temporal,
        runs: Runs,
        notifier: Notifier,
        *,
        interval_seconds: float,
        silent_seconds: float,
    ) -> None:
        self._pool = pool
        self._runs = runs
        self._notifier = notifier
        self._interval_seconds = interval_seconds
        self._silent_seconds = silent_seconds
        self._holder = uuid4()
        self._namespace_id = ""
        self._audited: tuple[TenantId, ExecutionId] | None = None
        self._at_work = Round[TaskId](_KNOWN_GOOD_SECONDS)
        self._handled: dict[str, float] = {}
        self._temporal = temporal
        self._stuck = StuckRuns(pool, temporal, runs, notifier)
        self._sweeps_at = time.monotonic()
        self.loop = Loop("sweeper", interval_seconds / _LOOKS, self.sweep)

    def start(self) -> None:
        """Begin to sweep. Needs a running loop."""
        self.loop.start()

    async def close(self) -> None:
        """Stop sweeping, and let another worker do so at once."""
        await self.loop.close()
        try:
            async with self._pool.connection() as connection:
                await sweeps.give_lease_back(connection, self._holder)
        except Unavailable as error:
            _log.warning("could not release the sweeper's lease, it will expire: %s", error)

    async def sweep(self) -> None:
        """Look for runs that do nothing, and for all else where that is due, unless another worker has the lease.

        Raises `Unavailable` while PostgreSQL or Temporal is away.

        No connection is held while Temporal is asked. A sweep that outlasts its lease may meet another one: harmless,
        since what a sweep finds is judged again under the rows' locks.
        """
        async with self._pool.connection() as connection:
            if not await sweeps.take_lease(connection, self._holder, _LEASE_INTERVALS * self._interval_seconds):
                return
        now = time.monotonic()
        is_due = now >= self._sweeps_at
        if is_due:
            self._sweeps_at = now + self._interval_seconds
            await self._mend()
            await self._forget()
        try:
            if is_due:
                await self._closed_workflows()
            await self._note_namespace()
            await self._silent_turns()
            await self._stuck.sweep()
        except TemporalRefused as error:
            raise Unavailable(str(error)) from error

    async def _mend(self) -> None:
        async with self._pool.connection() as connection:
            audit = await sweeps.audit(connection, self._audited, _AUDITED)
        self._audited = audit.last
        async with self._pool.transaction() as connection:
            counted = await sweeps.recount(connection, audit.miscounted[:_BATCH])
        async with self._pool.transaction() as connection:
            derived = await sweeps.derive_states(connection, audit.differing[:_BATCH])
        async with self._pool.connection() as connection:
            rung = await sweeps.ring_silent(connection, self._silent_seconds)
        for what, number in (("counters", counted), ("states", derived), ("silent", rung)):
            MENDED.labels(what).inc(number)
        if counted or derived or rung:
            _log.warning(
                "sweeper: repaired %d counters, %d execution states; signalled %d silent turns",
                counted,
                derived,
                rung,
            )

    async def _forget(self) -> None:
        """Forget what was started under Idempotency-Keys more than a day ago, a batch at a time."""
        forgotten = _BATCH
        while forgotten == _BATCH:
            async with self._pool.connection() as connection:
                forgotten = await starts.expire(connection, _STARTS_KEPT_SECONDS, _BATCH)

    async def _closed_workflows(self) -> None:
        """Workflows that Temporal's users ended, by what Temporal lists."""
        now = time.monotonic()
        self._handled = {run: at for run, at in self._handled.items() if now - at < 2 * _BACK.total_seconds()}
        for closed in await self._runs.ended_from_outside(datetime.now(UTC) - _BACK):
            if closed.run_id in self._handled:
                continue
            async with self._pool.connection() as connection:
                turn = await sweeps.turn_of(connection, closed.tenant, closed.task_id)
            if turn is not None and await self._status(turn.task_id) != "running":
                await self._lost(turn, closed.status)
            self._handled[closed.run_id] = now

    async def _note_namespace(self) -> None:
        """A restored database meets a namespace that it has not met: what runs goes on there."""
        namespace_id = await self._temporal.namespace_id()
        if namespace_id == self._namespace_id:
            return
        async with self._pool.connection() as connection:
            if await sweeps.note_namespace(connection, namespace_id):
                _log.info("this namespace of Temporal is new to the database: turns that it does not know go on in it")
        self._namespace_id = namespace_id

    async def _silent_turns(self) -> None:
        """Turns under way whose workflow Temporal does not know any more, or that it does nothing for.

        That is rung: between two activities it is harmless, and one that rests looks again. One that Temporal never
        knew, since the namespace is new, is rung, too, and goes on in a new workflow.
        """
        async with self._pool.connection() as connection:
            turns = await sweeps.open_turns(connection, self._silent_seconds, self._at_work.seen(), _BATCH)
        if self._at_work.found(len(turns), _BATCH):
            self._at_work.add(turn.task_id for turn in turns)  # whatever they are found to be: others come first
        gate = asyncio.Semaphore(_AT_ONCE)

        async def look(turn: OpenTurn) -> None:
            async with gate:
                run = await self._runs.look(task_workflow_id(str(turn.task_id)))
            if run is None and turn.moved:
                async with self._pool.connection() as connection:
                    await sweeps.ring_idle(connection, turn)
                return
            if run is None or run.status != "running":
                await self._lost(turn, run.status if run else "lost")
                return
            if await self._stuck.mend(turn, run):
                return
            self._at_work.add((turn.task_id,))
            if not run.pending:
                async with self._pool.connection() as connection:
                    await sweeps.ring_idle(connection, turn)

        await asyncio.gather(*(look(turn) for turn in turns))

    async def _status(self, task_id: TaskId) -> str:
        run = await self._runs.look(task_workflow_id(str(task_id)))
        return run.status if run else "lost"

    async def _lost(self, turn: OpenTurn, status: str) -> None:
        try:
            async with self._pool.transaction() as connection:
                noted = await sweeps.workflow_lost(connection, turn, status) is not None
            if not noted:
                async with self._pool.transaction() as connection:
                    noted = await sweeps.waiting_workflow_lost(connection, turn, status)
        except NotFound:
            return
        if not noted:  # its turn was over when it was looked at
            return
        LOST.labels(status).inc()
        _log.warning("workflow of task %s ended outside Baton: %s", turn.task_id, status)
        self._notifier.events(turn.execution_id)
