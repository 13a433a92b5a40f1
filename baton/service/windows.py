"""Counts of requests in fixed windows: one begins with the first request in it and ends `WINDOW_SECONDS` later."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from cachetools import TTLCache

from baton.domain.errors import Unavailable
from baton.domain.quota import WINDOW_SECONDS

_NAMESPACE: Final = "baton:requests:"


class Counted(NamedTuple):
    """How many requests a window has had, and for how many seconds it goes on."""

    requests: int
    seconds_left: float


@dataclass(slots=True)
class _Window:
    requests: int
    ends: float


class Windows:
    """Windows in this process's memory. One that has ended is forgotten as soon as another begins."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: TTLCache[str, _Window] = TTLCache(math.inf, WINDOW_SECONDS, clock)

    def __len__(self) -> int:
        """How many windows are open."""
        return len(self._open)

    def count(self, key: str, requests: int = 1) -> Counted:
        """Count so many requests."""
        now = self._clock()
        window = self._open.get(key)
        if window is None:
            window = self._open[key] = _Window(0, now + WINDOW_SECONDS)
        window.requests += requests
        return Counted(window.requests, window.ends - now)


class SharedWindows:
    """Windows in Redis, of all processes that count there."""

    def __init__(self, url: str, seconds: float) -> None:
        """Does not connect yet. ``seconds``: how long Redis may take to answer. Needs the extra `redis`."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self._trouble = (RedisError, OSError, TimeoutError)
        self._redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 1),  # once, for a connection that Redis has closed meanwhile
        )

    async def count(self, key: str, requests: int = 1) -> Counted:
        """Count so many requests. Raises `Unavailable` while Redis does not answer."""
        name = _NAMESPACE + key
        try:
            async with self._redis.pipeline(transaction=True) as transaction:
                transaction.set(name, 0, ex=WINDOW_SECONDS, nx=True)
                transaction.incr(name, requests)
                transaction.pttl(name)
                _, counted, milliseconds_left = await transaction.execute()
        except self._trouble as error:
            raise Unavailable(f"Redis does not answer ({type(error).__name__})") from error
        return Counted(counted, milliseconds_left / 1000)

    async def ping(self) -> None:
        """Raises `Unavailable` while Redis does not answer."""
        try:
            await self._redis.execute_command("PING")  # pyright: ignore[reportUnknownMemberType]
        except self._trouble as error:
            raise Unavailable(f"Redis does not answer ({type(error).__name__})", "redis_away") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
