"""Two works in one instant, aimed so that each of them comes first now and then, on any machine."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterator
from typing import TypeVar

from baton.domain.errors import DomainError
from tests.support.examples import examples

_T = TypeVar("_T")
_L = TypeVar("_L")
_W = TypeVar("_W")

# Seconds: by how much the aim is moved at first, and how far it goes at most.
NUDGE = 0.0002
FARTHEST = 0.5


class Race:
    """
    Holds back whoever came first the last time, by ever more while it goes on winning.

    So the aim settles round the instant where either may win, however long each of the two takes to get there: a race
    that always goes one way proves nothing.
    """

    def __init__(self, first: str, second: str) -> None:
        """Name what is seen when the first of the two comes first, and what when the second does."""
        self._outcomes = (first, second)
        self._seen: Counter[str] = Counter()
        self._lag = 0.0
        self._nudge = NUDGE
        self._last = ""

    def rounds(self, most: int) -> Iterator[int]:
        """``most`` rounds. Where properties are tried with fewer examples: as much fewer, but until both were seen."""
        for number in range(most):
            if number >= examples(most) and set(self._seen) == set(self._outcomes):
                return
            yield number

    async def run(self, one: Awaitable[_T], other: Awaitable[_L]) -> tuple[_T, _L]:
        """Let both run; what each came to."""

        async def after(seconds: float, work: Awaitable[_W]) -> _W:
            # The loop's timers are too coarse to aim with: they round up to a millisecond.
            due = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < due:
                await asyncio.sleep(0)
            return await work

        return await asyncio.gather(after(self._lag, one), after(-self._lag, other))

    def saw(self, outcome: str) -> None:
        """Say what was seen: one of the two outcomes."""
        assert outcome in self._outcomes
        self._seen[outcome] += 1
        self._nudge = self._nudge * 2 if outcome == self._last else NUDGE
        self._last = outcome
        towards = self._nudge if outcome == self._outcomes[0] else -self._nudge
        self._lag = max(-FARTHEST, min(FARTHEST, self._lag + towards))

    def check(self) -> None:
        """Fail unless both outcomes were seen."""
        assert set(self._seen) == set(self._outcomes), self._seen


async def outcome_of(work: Awaitable[_T]) -> _T | DomainError:
    """What came of it, also if it was refused."""
    try:
        return await work
    except DomainError as error:
        return error
