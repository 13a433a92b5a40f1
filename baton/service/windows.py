"""A storage for the `limits` library in this process's memory, made for an event loop.

The library's own one guards itself against threads, and starts a thread or a task with nearly every hit to look through
all of its keys: a hundred times what counting costs.
"""

import time
from collections.abc import Callable
from typing import Final

from limits.storage import Storage

#: Windows that have ended are dropped when there are so many, and whenever they have doubled since.
_SWEEP_AT: Final = 4096


class Windows(Storage):
    """Fixed windows: a count and its end for each key. For one thread.

    Windows that have ended are forgotten in passing, so that memory is bounded by the keys used within two windows.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._windows: dict[str, tuple[int, float]] = {}
        self._sweep_at = _SWEEP_AT

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """What its methods may raise: nothing."""
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count ``amount``; the first of a window opens it, for ``expiry`` seconds. The window's count."""
        now = self._clock()
        count, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + expiry
            if len(self._windows) >= self._sweep_at:
                self._sweep(now)
        self._windows[key] = (count + amount, ends)
        return count + amount

    def get(self, key: str) -> int:
        """A window's count; 0 where none is open."""
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """When a window ends, in seconds of the epoch; now, where none is open."""
        return max(self._windows.get(key, (0, 0.0))[1], self._clock())

    def check(self) -> bool:
        """It is always well."""
        return True

    def reset(self) -> int:
        """Forget all windows; how many there were."""
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget a window."""
        self._windows.pop(key, None)

    def _sweep(self, now: float) -> None:
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._windows))
