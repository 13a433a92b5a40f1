"""What the activities that record have in common: transactions, patience with the database, and who is told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.encoding import outcome
from activities.rings import Ringer
from baton.domain.errors import Unavailable
from baton.domain.ids import StepKey, TaskRoute
from baton.domain.mailbox import Standing
from baton.store import plans
from baton.store.pool import Connection, Pool
from workflows.activities import STEP_TIMEOUT
from workflows.contracts import Outcome

#: What a model's reply, or a call, may take: less than Temporal lets it take, which would retry uncounted for days.
LONGEST_STEP: Final = STEP_TIMEOUT.total_seconds() * 0.9
#: How long a finished reply, or call, waits for a database that is away, try by try.
RECORD_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0, 4.0)
#: An attempt that its worker gave up though nothing was wrong with it: the next is for whoever is there.
GIVEN_UP: Final = "step_given_up"
AT_ONCE: Final = timedelta(milliseconds=10)

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_P = ParamSpec("_P")
_Where = TypeVar("_Where", StepKey, TaskRoute)


class Recording:
    """Activities that record what they did in PostgreSQL."""

    def __init__(self, pool: Pool, ringer: Ringer, notify: Callable[[UUID], None], *, words: bool) -> None:
        """``notify`` hints that an execution's log has grown; ``words``: whether Temporal may show questions."""
        self._pool = pool
        self._ringer = ringer
        self._notify = notify
        self._words = words

    async def _given_up(
        self,
        note: Callable[Concatenate[Connection, StepKey, _P], Awaitable[None]],
        key: StepKey,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> ApplicationError:
        """Note that this attempt was survived; the error that leaves it to the next one."""
        try:
            await self._in_transaction(note, key, *args, **kwargs)
            self._notify(key.execution_id)
        except Unavailable:
            _log.warning("an attempt that was given up counts as one that nobody survived: the database is away")
        benign = ApplicationErrorCategory.BENIGN
        return ApplicationError(GIVEN_UP, type=GIVEN_UP, next_retry_delay=AT_ONCE, category=benign)

    async def _patiently(
        self,
        record: Callable[Concatenate[Connection, StepKey, _P], Awaitable[_T]],
        key: StepKey,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Record what was done, for a while also with a database that is away.

        A reply costs money and a call has effects: neither is done again while that can be helped.
        """
        for pause in RECORD_PAUSES:
            try:
                return await self._in_transaction(record, key, *args, **kwargs)
            except Unavailable:
                await asyncio.sleep(pause)
        return await self._in_transaction(record, key, *args, **kwargs)

    async def _in_transaction(
        self,
        work: Callable[Concatenate[Connection, _Where, _P], Awaitable[_T]],
        where: _Where,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        async with self._pool.transaction(where.execution_id) as connection:
            return await work(connection, where, *args, **kwargs)

    async def _done(self, key: StepKey, standing: Standing) -> Outcome:
        self._notify(key.execution_id)
        if standing.plan_looks:
            async with self._pool.connection() as connection:
                route = await plans.route(connection, key.tenant_id, key.execution_id)
            self._ringer.ring_plan(route, standing.event_seq)
        return outcome(standing, words=self._words)
