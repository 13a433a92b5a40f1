"""Looking at much, a limited number at a time."""

import time
from collections.abc import Iterable
from typing import Generic, TypeVar

_K = TypeVar("_K")


class Round(Generic[_K]):
    """What was looked at, and is to be passed over: for some seconds, or until the look has come to everything else.

    Without the latter a look at the first of many would take the same ones again, and never come to the others.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[_K, float] = {}
        self._is_over = True

    def seen(self) -> list[_K]:
        """What to pass over now."""
        if self._is_over:
            now = time.monotonic()
            self._seen = {key: at for key, at in self._seen.items() if now - at < self._seconds}
        return list(self._seen)

    def found(self, number: int, limit: int) -> bool:
        """Note that a look has found ``number``, of ``limit`` at most. Whether there may be more."""
        self._is_over = number < limit
        return not self._is_over

    def add(self, keys: Iterable[_K]) -> None:
        """Note what was looked at."""
        self._seen |= dict.fromkeys(keys, time.monotonic())
