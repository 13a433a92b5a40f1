"""More and more messages in one task, each answered: what the next one costs."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from baton.store.pool import Pool
from bench.cpu import Cpu, cost
from bench.report import percentile
from bench.scale.points import Point, p50
from bench.stack import BenchStack
from bench.targets import Caller, start_tasks, until_ended, until_quiet

_TURNS: Final = 40


async def measure(stack: BenchStack, pool: Pool, sizes: Sequence[int]) -> AsyncGenerator[Point]:
    """Turns of one task, all of them real; forty are measured at each size."""
    (task,) = await start_tasks(stack, 1)
    caller, sent = await Caller.open(stack), 0
    messages = f"{task.path}?limit=50"
    for size in sizes:
        while sent < size:
            await until_ended(stack.marks, task, lambda: caller.send(task))
            sent += 1
        async with pool.connection() as connection:
            await connection.execute("VACUUM ANALYZE")
        await until_quiet(stack.marks)
        cpu = Cpu(stack)
        before, took = cpu.now(), list[float]()
        for _ in range(_TURNS):
            began = time.monotonic()
            await until_ended(stack.marks, task, lambda: caller.send(task))
            took.append((time.monotonic() - began) * 1000)
            await asyncio.sleep(0.02)
        await until_quiet(stack.marks)
        spent = cost(before, cpu.now(), _TURNS)
        sent += _TURNS
        point = Point("turns", size, {"turn p50, ms": percentile(took, 50)})
        for part in ("worker", "postgres", "temporal", "api"):
            point.figures[f"CPU of {part} for a turn, ms"] = spent.get(part, 0.0)
        point.figures["messages, first page p50, ms"] = await p50(lambda: caller.read(messages), 30)
        yield point
    caller.close()
