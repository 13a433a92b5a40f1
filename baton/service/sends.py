"""Messages on their way to PostgreSQL: those of a tenant that are under way at once go together, in one commit.

Nobody waits for others to come. A message that finds no group under way goes at once; what comes while one commits
gathers, and goes when that is done. No message costs another anything: one that needs more than the shared
statement does goes by itself, while the rest is stored.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from baton.domain.errors import DomainError, TooSlow, Unavailable
from baton.domain.ids import ExecutionId, TenantId
from baton.domain.messages import Receipt
from baton.metrics.series import DATABASE_FAILURES
from baton.runtime.shares import MOST_WAITING
from baton.store import messages
from baton.store.messages import PreparedMessage
from baton.store.pool import Pool, spending

#: A group that takes longer is stuck somewhere: another goes beside it.
_SLOW_SECONDS: Final = 0.05
#: Groups of a tenant under way, at most.
_AT_ONCE: Final = 4
#: Messages of a group, at most.
_MOST: Final = 64
#: What is longer goes by itself: it takes PostgreSQL a while.
_LARGE_BYTES: Final = 16 * 1024

_Outcome = Receipt | DomainError | None


class SendLine(asyncio.Lock):
    """The sends to one execution: an asynchronous context manager that lets them in one by one, as they came."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__()
        self._wait_seconds = wait_seconds
        self._waiting = 0

    async def __aenter__(self) -> None:
        """Raises `TooSlow`, and `Unavailable` where too many wait."""
        if not self._waiting and not self.locked():
            await self.acquire()
            return
        if self._waiting >= MOST_WAITING:
            raise Unavailable("too many others wait for the same thing: try again")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self.acquire()
        except TimeoutError as error:
            raise _too_slow() from error
        finally:
            self._waiting -= 1


@dataclass(frozen=True, slots=True)
class _Gathered:
    """A message that waits for the next group: since when (the loop's time), and who is to be told."""

    message: PreparedMessage
    since: float
    outcome: asyncio.Future[_Outcome]


@dataclass(slots=True)
class _Tenant:
    """A tenant's groups under way, and what gathers for the next."""

    under_way: int = 0
    gathered: deque[_Gathered] = field(default_factory=deque[_Gathered])
    timer: asyncio.TimerHandle | None = None


class Sends:
    """The sends of a process. One to an execution is let in at a time, see `line`, so that a group has no two of them,
    and so that they are accepted in the order in which they came."""

    def __init__(self, pool: Pool, *, relay_seconds: float, wait_seconds: float) -> None:
        self._pool = pool
        self._relay_seconds = relay_seconds
        self._wait_seconds = wait_seconds
        self._lines: WeakValueDictionary[ExecutionId, SendLine] = WeakValueDictionary()
        self._tenants: dict[TenantId, _Tenant] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def line(self, execution_id: ExecutionId) -> SendLine:
        """The line of an execution's sends, to be stood in for as long as one takes."""
        line = self._lines.get(execution_id)
        if line is None:
            line = self._lines[execution_id] = SendLine(self._wait_seconds)
        return line

    async def together(self, message: PreparedMessage) -> Receipt | None:
        """Send a message together with others, from within its execution's line. None: it has to be sent by itself,
        with `baton.store.messages.accept`; nothing is stored.

        Raises why it is refused, and `Unavailable`: then it may be stored, like the others of its group.
        """
        if len(message.row) > _LARGE_BYTES:
            return None
        tenant_id = message.route.tenant_id
        tenant = self._tenants.setdefault(tenant_id, _Tenant())
        if not tenant.under_way:
            tenant.under_way = 1
            try:
                (outcome,) = await self._send([message])
            finally:
                self._ended(tenant_id, tenant)
        else:
            outcome = await self._gather(tenant_id, tenant, message)
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome

    async def _send(self, prepared: Sequence[PreparedMessage]) -> Sequence[_Outcome]:
        async with self._pool.connection() as connection:
            return await messages.send_together(connection, prepared, relay_seconds=self._relay_seconds)

    async def _gather(self, tenant_id: TenantId, tenant: _Tenant, message: PreparedMessage) -> _Outcome:
        loop = asyncio.get_running_loop()
        mine = _Gathered(message, loop.time(), loop.create_future())
        if not tenant.gathered:
            tenant.timer = loop.call_later(_SLOW_SECONDS, self._begin, tenant_id, tenant)
        tenant.gathered.append(mine)
        return await mine.outcome

    def _begin(self, tenant_id: TenantId, tenant: _Tenant) -> None:
        """Send what has gathered."""
        if not tenant.gathered or tenant.under_way >= _AT_ONCE:
            return
        if tenant.timer is not None:
            tenant.timer.cancel()
        group = [tenant.gathered.popleft() for _ in range(min(len(tenant.gathered), _MOST))]
        tenant.under_way += 1
        # In a context of its own: it is not for the request that happens to begin it.
        task = asyncio.create_task(self._work_off(tenant_id, tenant, group), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ended(self, tenant_id: TenantId, tenant: _Tenant) -> None:
        """A group is done: the next follows it."""
        tenant.under_way -= 1
        self._begin(tenant_id, tenant)
        if not tenant.under_way:
            del self._tenants[tenant_id]

    async def _work_off(self, tenant_id: TenantId, tenant: _Tenant, group: Sequence[_Gathered]) -> None:
        spending.set(tenant_id)
        try:
            await self._send_group(group)
        finally:
            self._ended(tenant_id, tenant)

    async def _send_group(self, group: Sequence[_Gathered]) -> None:
        latest = asyncio.get_running_loop().time() - self._wait_seconds
        waiting = [one for one in group if not one.outcome.done()]  # who is cancelled needs nothing any more
        late, rest = [one for one in waiting if one.since < latest], [one for one in waiting if one.since >= latest]
        for one in late:
            one.outcome.set_result(_too_slow())
        if not rest:
            return
        try:
            outcomes = await self._send([one.message for one in rest])
        except Exception as error:  # noqa: BLE001 - raised by those who wait: it may be stored or not
            for one in rest:
                if not one.outcome.done():
                    one.outcome.set_exception(error)
            return
        for one, outcome in zip(rest, outcomes, strict=True):
            if not one.outcome.done():
                one.outcome.set_result(outcome)


def _too_slow() -> TooSlow:
    DATABASE_FAILURES.labels("slow").inc()
    return TooSlow("the database did not answer in time: too many others wait")
