"""What a stretch of work costs the machine: CPU seconds by process. Steadier than the clock on a busy machine."""

import asyncio
import os
import time

import psutil

from bench.report import Figure
from bench.stack import BenchStack


class Cpu:
    """CPU seconds of every part of the stack, and of this process, the load generator."""

    def __init__(self, stack: BenchStack) -> None:
        self._processes = {name: psutil.Process(part.pid) for name, part in stack.parts.items()}
        self._processes["load generator"] = psutil.Process(os.getpid())
        self._children = {"postgres"}  # a process for each connection

    def now(self) -> dict[str, float]:
        """CPU seconds since each part began. PostgreSQL's connections stay open while something is measured."""
        return {name: self._seconds(name, process) for name, process in self._processes.items()}

    def _seconds(self, name: str, process: psutil.Process) -> float:
        whole = [process, *(process.children() if name in self._children else ())]
        return sum(_seconds(one) for one in whole)


async def idle(stack: BenchStack, seconds: float) -> dict[str, float]:
    """What each part uses while nothing happens, in percent of a core."""
    cpu = Cpu(stack)
    before, began = cpu.now(), time.monotonic()
    await asyncio.sleep(seconds)
    after, passed = cpu.now(), time.monotonic() - began
    return {part: (after[part] - before[part]) / passed * 100 for part in after}


def cost(before: dict[str, float], after: dict[str, float], times: int) -> dict[str, float]:
    """Milliseconds of CPU per item, by process; those that did next to nothing are left out."""
    spent = {name: (after[name] - before[name]) * 1000 / max(times, 1) for name in before}
    return {name: value for name, value in spent.items() if value >= 0.05}


def figure(name: str, costs: list[dict[str, float]]) -> Figure:
    """All processes together, and by process in the name."""
    mean = {part: sum(one.get(part, 0.0) for one in costs) / len(costs) for one in costs for part in one}
    told = ", ".join(f"{part} {value:.1f}" for part, value in mean.items())
    return Figure(f"{name} CPU ({told})", sum(mean.values()), "ms")


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system
