"""One client that calls again as soon as it is answered: how long a call takes where nothing is asleep.

`rows_latency` lets everything rest before each call. After a rest the wake-ups of processes are most of what is timed,
on both sides; here it is the work itself, beside what the workers do about the calls before. An INSERT leads to no such
work: it is shown, and not compared.
"""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from itertools import cycle

from bench.report import Row, milliseconds, percentile
from bench.stack import BenchStack
from bench.targets import Caller, signal, start_bare, start_tasks, until_quiet


async def measure(stack: BenchStack, targets: int, blocks: int, calls: int) -> list[Row]:
    """Blocks of ``calls`` calls, each to the next of the targets, by turns of what is compared."""
    async with stack.insert_api():
        return await _measure(stack, targets, blocks, calls)


async def _measure(stack: BenchStack, targets: int, blocks: int, calls: int) -> list[Row]:
    tasks, bares = cycle(await start_tasks(stack, targets)), cycle(await start_bare(stack, targets))
    await stack.analyze()
    caller, times = await Caller.open(stack), defaultdict[str, list[float]](list)

    async def block(name: str, call: Callable[[], Awaitable[None]]) -> None:
        for _ in range(calls):
            began = time.monotonic()
            await call()
            times[name].append(time.monotonic() - began)
        await until_quiet(stack.marks)

    contenders: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        ("accept", lambda: caller.send(next(tasks))),
        ("bare signal", lambda: signal(next(bares))),
        ("one INSERT", caller.insert),
    ]
    for name, call in contenders:
        await block(name, call)
    times.clear()
    for _ in range(blocks):
        for name, call in contenders:
            await block(name, call)
        contenders.append(contenders.pop(0))
    caller.close()
    p50 = {name: percentile(all_times, 50) for name, all_times in times.items()}
    figures = [milliseconds(name, all_times, at) for name, all_times in times.items() for at in (50, 99)]
    what = "p50, 1 client, call after call"
    return [
        Row(
            "calls_signal",
            f"accept ÷ bare signal, {what}",
            p50["accept"] / p50["bare signal"],
            "×",
            0.35,
            None,
            figures,
        ),
    ]
