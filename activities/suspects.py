"""What workers have died at: of it, or of something beside it.

A worker that is killed takes all of its steps and calls with it, and nobody knows which of them it died of. So of those
that were at work at several deaths a worker takes one at a time: the next death counts against that one alone, and an
innocent one comes to its end.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from baton.store.pool import Connection, Pool
from baton.store.tools import MOST_DEATHS

#: So many deaths make a suspect; one more, and it is given up.
SUSPICIOUS: Final = MOST_DEATHS - 1
#: What waits for another suspect frees its place in the worker, and comes back after so long.
PUT_OFF: Final = "step_put_off"
_PUT_OFF_FOR: Final = timedelta(seconds=5)


class Suspects:
    """The suspects of a worker."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def one_at_a_time(self, deaths: Callable[[Connection], Awaitable[int]]) -> AsyncGenerator[None]:
        """While in here no other suspect is at work, if the activity is one itself. ``deaths``: of how many.

        Raises ApplicationError (`step_put_off`) where another one is at work: nothing has begun.
        """
        if activity.info().attempt <= SUSPICIOUS:  # cannot have as many deaths
            yield
            return
        async with self._pool.connection() as connection:
            is_suspect = await deaths(connection) == SUSPICIOUS
        if not is_suspect:
            yield
            return
        if self._one.locked():
            raise ApplicationError(PUT_OFF, type=PUT_OFF, next_retry_delay=_PUT_OFF_FOR)
        async with self._one:
            yield
