"""What was measured at one size of one thing that grows."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.report import percentile


@dataclass(slots=True)
class Point:
    """``figures`` by name, the unit at its end: `accept p50, ms`."""

    axis: str
    size: int
    figures: dict[str, float] = field(default_factory=dict[str, float])


async def p50(do: Callable[[], Awaitable[object]], times: int, pause_seconds: float = 0.0) -> float:
    """The median of so many calls, one after the other, in milliseconds; one before them only warms up."""
    await do()
    took = list[float]()
    for _ in range(times):
        began = time.monotonic()
        await do()
        took.append(time.monotonic() - began)
        await asyncio.sleep(pause_seconds)
    return percentile(took, 50) * 1000
