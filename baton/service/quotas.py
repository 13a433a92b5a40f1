"""Requests a minute, counted per key (a JWT: per issuer and subject), by the `limits` library.

A window is a minute that begins with the first request in it. In memory, each process counts for itself; with Redis,
all processes count together.
"""

import asyncio
import logging
import math
import time
from functools import cache
from typing import Any, Final, cast

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.errors import StorageError

from baton.domain.agents import Principal
from baton.domain.quota import UNLIMITED, WINDOW_SECONDS, Quota
from baton.service.windows import Windows
from baton.settings import Settings

#: A request does not wait for Redis longer than this.
_REDIS_SECONDS: Final = 0.25
#: Redis is left alone for so long after it did not answer.
_AWAY_SECONDS: Final = 5.0
_NAMESPACE: Final = "baton"
_log = logging.getLogger(__name__)


class Quotas:
    """Counts requests. While Redis does not answer, this process counts in its own memory: nobody is turned away
    because of that, and nobody gets through without being counted."""

    def __init__(self, settings: Settings) -> None:
        self._default = settings.requests_per_minute
        self._here = Windows()
        self._redis = None if settings.redis_url is None else _redis(settings.redis_url.get_secret_value())
        self._away_until = float("-inf")

    async def count(self, who: Principal) -> Quota | None:
        """Count a request of ``who``; where they stand then, None where they have no limit."""
        limit = self._default if who.per_minute is None else who.per_minute
        if limit == UNLIMITED:
            return None
        key = _item(limit).key_for(who.key_id)
        if self._redis is not None and time.monotonic() >= self._away_until:
            try:
                return await self._count_there(self._redis, key, limit)
            except (StorageError, OSError, TimeoutError) as error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                _log.warning("requests are counted in memory: Redis does not answer (%s)", type(error).__name__)
        count = self._here.incr(key, WINDOW_SECONDS)
        return _quota(limit, count, self._here.get_expiry(key))

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._redis is not None:
            await cast("Any", self._redis.bridge).get_connection().aclose()  # the library has no way to close

    @staticmethod
    async def _count_there(redis: RedisStorage, key: str, limit: int) -> Quota:
        async with asyncio.timeout(_REDIS_SECONDS):
            count = await redis.incr(key, WINDOW_SECONDS)
            return _quota(limit, count, await redis.get_expiry(key))


@cache
def _item(limit: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(limit, namespace=_NAMESPACE)


def _quota(limit: int, count: int, ends: float) -> Quota:
    left = math.ceil(ends - time.time())
    return Quota(limit, max(0, limit - count), min(max(left, 1), WINDOW_SECONDS), count > limit)


def _redis(url: str) -> RedisStorage:
    """Does not connect yet. Raises `limits.errors.ConfigurationError` where the extra `redis` is not installed."""
    options: dict[str, Any] = {"socket_timeout": _REDIS_SECONDS, "socket_connect_timeout": _REDIS_SECONDS}
    return RedisStorage(
        f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix=_NAMESPACE, **options
    )
