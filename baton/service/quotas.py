"""Requests a minute, counted per key (a JWT: per issuer and subject).

In memory, each process counts for itself; with Redis, all processes count together.
"""

import asyncio
import logging
import math
import time
from typing import Final

from baton.domain.agents import Principal
from baton.domain.errors import Unavailable
from baton.domain.quota import UNLIMITED, WINDOW_SECONDS, Quota
from baton.metrics.series import LIMITED, REDIS_AWAY
from baton.service.windows import Counted, SharedWindows, Windows
from baton.settings import Settings

#: A request does not wait for Redis longer than this.
_REDIS_SECONDS: Final = 0.25
#: Redis is left alone for so long after it did not answer.
_AWAY_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class Quotas:
    """Counts requests. While Redis does not answer, this process counts in its own memory: nobody is turned away
    because of that, and nobody gets through without being counted."""

    def __init__(self, settings: Settings) -> None:
        self._default = settings.requests_per_minute
        self._here = Windows()
        url = settings.redis_url
        self._shared = None if url is None else SharedWindows(url.get_secret_value(), _REDIS_SECONDS)
        self._away_until = float("-inf")

    async def count(self, who: Principal, requests: int = 1) -> Quota | None:
        """Count so many requests of ``who``; where they stand then, None where they have no limit."""
        limit = self._default if who.per_minute is None else who.per_minute
        if limit == UNLIMITED:
            return None
        quota = _quota(limit, await self._count(who.key_id, requests))
        if quota.exceeded:
            LIMITED.labels("requests").inc()
        return quota

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._shared is not None:
            await self._shared.close()

    async def _count(self, key: str, requests: int) -> Counted:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(_REDIS_SECONDS):
                    return await self._shared.count(key, requests)
            except (Unavailable, TimeoutError) as error:
                REDIS_AWAY.inc()
                self._away_until = time.monotonic() + _AWAY_SECONDS
                _log.warning("counting requests in memory: %s", str(error) or "Redis does not answer in time")
        return self._here.count(key, requests)


def _quota(limit: int, counted: Counted) -> Quota:
    reset_seconds = min(max(math.ceil(counted.seconds_left), 1), WINDOW_SECONDS)
    return Quota(limit, max(0, limit - counted.requests), reset_seconds, counted.requests > limit)
