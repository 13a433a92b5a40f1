"""Whether workers ask for work of a task queue: known for a moment, so that whoever starts something hardly waits."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from cachetools import TTLCache

from baton.domain.errors import Unavailable
from baton.service.runs import Runs
from baton.service.temporal import TemporalRefused

#: A worker that has not asked for work for so long is not counted on.
POLLED_RECENTLY: Final = timedelta(seconds=70)
#: What is known is told for so long.
_KNOWN_SECONDS: Final = 15.0
_MOST_KNOWN: Final = 1000
#: Whoever starts something waits no longer for Temporal's answer.
_BUDGET_SECONDS: Final = 0.25


class Queues:
    """Tells who starts something on a task queue that no worker serves. While Temporal does not answer, nothing is
    told: it is not known then."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._known: TTLCache[str, str] = TTLCache(_MOST_KNOWN, _KNOWN_SECONDS)

    async def unserved(self, queue: str) -> str:
        """A sentence if no worker asks for work of ``queue``, else ""."""
        told = self._known.get(queue)
        if told is None:
            told = self._known[queue] = await self._ask(queue)
        return told

    async def _ask(self, queue: str) -> str:
        try:
            async with asyncio.timeout(_BUDGET_SECONDS):
                polled_at = await self._runs.last_poll(queue)
        except (Unavailable, TemporalRefused, TimeoutError):
            return ""
        return "" if is_recent(polled_at) else f"{no_worker(queue)}: it waits until one does"


def no_worker(queue: str) -> str:
    """That nobody serves a queue, in words that a header can carry."""
    return f"no worker asks for work of the task queue {queue!a}"


def is_recent(polled_at: datetime | None) -> bool:
    """Whether a worker that asked then is counted on."""
    return polled_at is not None and datetime.now(UTC) - polled_at < POLLED_RECENTLY
