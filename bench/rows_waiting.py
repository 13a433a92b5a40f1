"""Thousands of tasks that wait: what they cost while nothing happens, and whether each answers as fast as ever."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import psutil

from bench.cpu import idle
from bench.report import Figure, Row, milliseconds, percentile
from bench.stack import BenchStack
from bench.targets import ASK, BenchTask, Caller, start_tasks, until_ended, until_quiet

_SERVING = ("api", "worker")
_MB = 1e6
#: More sends than a task has turns before its workflow goes on in a new run would measure that, too.
_SENDS = 100
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Sends:
    """How long sends took, and a route of one INSERT in between: so that a machine's other loads cancel."""

    accept: Sequence[float]
    insert: Sequence[float]

    @property
    def ratio(self) -> float:
        """The one's median by the other's."""
        return percentile(self.accept, 50) / percentile(self.insert, 50)


async def measure(stack: BenchStack, count: int, idle_seconds: float) -> list[Row]:
    """One task that waits, then ``count`` more: each time a while of rest, then sends one after the other."""
    async with stack.insert_api():
        return await _measure(stack, count, idle_seconds)


async def _measure(stack: BenchStack, count: int, idle_seconds: float) -> list[Row]:
    one = await start_tasks(stack, 1)
    await stack.analyze()
    await _send(stack, one)  # what the first turns allocate and import is not waiting's
    alone, alone_cpu, alone_memory = await _send(stack, one), await _idle(stack, idle_seconds), _memory(stack)
    rate, many = await _start(stack, count)
    await stack.analyze()
    await until_quiet(stack.marks)
    crowd_cpu, crowd_memory = await _idle(stack, idle_seconds), _memory(stack)
    crowd = await _send(stack, many)
    growth = {part: (crowd_memory[part] - alone_memory[part]) / _MB for part in _SERVING}
    figures = [
        Figure(f"{count} tasks created and come to wait", rate, "/s"),
        milliseconds("accept, one task waits", alone.accept),
        milliseconds("one INSERT, one task waits", alone.insert),
        milliseconds("accept, all of them wait", crowd.accept),
        milliseconds("one INSERT, all of them wait", crowd.insert),
    ]
    memory = [Figure(f"{part}, one task waits", alone_memory[part] / _MB, "MB") for part in _SERVING]
    memory += [Figure(f"{part}, all of them wait", crowd_memory[part] / _MB, "MB") for part in _SERVING]
    resting = [Figure(f"{part}, one task waits", alone_cpu[part], "% of a core") for part in _SERVING]
    resting += [Figure(f"{part}, all of them wait", crowd_cpu[part], "% of a core") for part in _SERVING]
    more = sum(crowd_cpu.values()) - sum(alone_cpu.values())
    what = f"with {count} tasks waiting, against one"
    return [
        Row("waiting_send", f"accept ÷ one INSERT, p50, {what}", crowd.ratio / alone.ratio, "×", 1.3, None, figures),
        Row("waiting_memory", f"API's or worker's memory {what}", max(growth.values()), "MB", 100, None, memory),
        Row("waiting_idle", f"API's and worker's idle CPU {what}", more, "% of a core", 1, None, resting),
    ]


async def _start(stack: BenchStack, count: int) -> tuple[float, list[BenchTask]]:
    """So many tasks that wait; how many a second."""
    began = time.monotonic()
    tasks = await start_tasks(stack, count)
    return count / (time.monotonic() - began), tasks


async def _send(stack: BenchStack, tasks: Sequence[BenchTask]) -> _Sends:
    """How long sends take, each to the next task, whose turn is waited for."""
    caller = await Caller.open(stack)
    accept, insert = list[float](), list[float]()
    # Not the newest alone: most have waited for long enough to be in nobody's memory.
    for task in islice(cycle(tasks[:: max(1, len(tasks) // _SENDS)]), _SENDS):

        async def send(task: BenchTask = task) -> None:
            began = time.monotonic()
            await caller.send(task, ASK)
            accept.append(time.monotonic() - began)

        await until_ended(stack.marks, task, send)
        await asyncio.sleep(_PAUSE_SECONDS)
        began = time.monotonic()
        await caller.insert()
        insert.append(time.monotonic() - began)
        await asyncio.sleep(_PAUSE_SECONDS)
    caller.close()
    return _Sends(accept, insert)


async def _idle(stack: BenchStack, seconds: float) -> dict[str, float]:
    """What the parts that serve use while nothing happens, in percent of a core."""
    await until_quiet(stack.marks)
    used = await idle(stack, seconds)
    return {part: used[part] for part in _SERVING}


def _memory(stack: BenchStack) -> dict[str, int]:
    """Resident bytes."""
    return {part: psutil.Process(stack.parts[part].pid).memory_info().rss for part in _SERVING}
