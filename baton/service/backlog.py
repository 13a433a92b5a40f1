"""What waits in PostgreSQL, as gauges: counted now and then, whoever looks at them."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from baton.domain.states import MessageState, TaskState
from baton.metrics import labels
from baton.metrics.series import (
    ASTRAY,
    ASTRAY_AGE,
    COUNTED_AT,
    MESSAGES,
    OLDEST,
    RELAY_LAG,
    UNHEARD,
    UNHEARD_AGE,
    WAITING,
)
from baton.runtime.loop import Loop
from baton.store import backlog
from baton.store.backlog import UnheardRings, Unprocessed, WaitingTasks
from baton.store.pool import Pool

#: The ages that are told apart, in seconds.
AGES: Final = (0.0, 10.0, 60.0, 600.0, 3600.0, 86400.0, 604800.0)
_AGE_LABELS: Final = tuple(f"{age:.0f}" for age in AGES)


class Backlog:
    """Counts every so often. Figures are those of the whole deployment, whichever process has counted."""

    def __init__(self, pool: Pool, every_seconds: float, queue: str) -> None:
        """``queue``: the one that is told of even where all is well."""
        self._pool = pool
        self._queue = queue
        self._loop = Loop("backlog", every_seconds, self.count, at_once=True)

    def start(self) -> None:
        """Begin to count. Needs a running loop."""
        self._loop.start()

    async def close(self) -> None:
        """Stop."""
        await self._loop.close()

    async def count(self) -> None:
        """Count once. Raises `Unavailable`; gauges keep their values then, and the time of them."""
        by_tenant = labels.tenant.is_told
        async with self._pool.connection() as connection:
            messages = await backlog.unprocessed(connection, AGES, by_tenant=by_tenant)
            tasks = await backlog.waiting(connection, AGES, by_tenant=by_tenant)
            rings = await backlog.unheard(connection)
        _show_messages(messages)
        _show_waiting(tasks)
        _show_rings(rings, self._queue)
        COUNTED_AT.set(time.time())


def _show_messages(found: Sequence[Unprocessed]) -> None:
    at_work = [one.oldest_seconds for one in found if one.task_state is TaskState.RUNNING]
    OLDEST.set(max(at_work, default=0.0))
    states = (MessageState.ACCEPTED, MessageState.CLAIMED)
    numbers = Counter({(state, TaskState.RUNNING, age, ""): 0 for state in states for age in _AGE_LABELS})
    for one in found:
        for age in _reached(one.age):
            numbers[one.state, one.task_state, age, labels.tenant(one.tenant_id)] += one.number
    MESSAGES.clear()
    for names, number in numbers.items():
        MESSAGES.labels(*names).set(number)


def _show_waiting(found: Iterable[WaitingTasks]) -> None:
    numbers = Counter({(age, ""): 0 for age in _AGE_LABELS})
    for one in found:
        for age in _reached(one.age):
            numbers[age, labels.tenant(one.tenant_id)] += one.number
    WAITING.clear()
    for names, number in numbers.items():
        WAITING.labels(*names).set(number)


def _show_rings(found: Sequence[UnheardRings], queue: str) -> None:
    """Queues that workers serve, or are to serve, are told by name; others, which callers choose, together."""
    RELAY_LAG.set(max((0.0, *(one.lag_seconds for one in found))))
    numbers, ages = Counter({labels.queue(queue): 0}), {labels.queue(queue): 0.0}
    astray = [one for one in found if not (one.is_served or one.queue == queue)]
    for one in found:
        if one in astray:
            continue
        name = labels.queue(one.queue)
        numbers[name] += one.number
        ages[name] = max(ages.get(name, 0.0), one.oldest_seconds)
    UNHEARD.clear()
    UNHEARD_AGE.clear()
    for name, number in numbers.items():
        UNHEARD.labels(name).set(number)
        UNHEARD_AGE.labels(name).set(ages[name])
    ASTRAY.set(sum(one.number for one in astray))
    ASTRAY_AGE.set(max((one.oldest_seconds for one in astray), default=0.0))


def _reached(age: int) -> tuple[str, ...]:
    return _AGE_LABELS[: max(age, 1)]
