"""Sixteen clients and two hundred tasks: calls a second, and turns a second."""

import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from bench.cpu import Cpu, cost, figure
from bench.report import Row, per_second
from bench.stack import BenchStack
from bench.targets import (
    Bare,
    BenchTask,
    Caller,
    all_clients,
    signal,
    start_bare,
    start_tasks,
    until_ended,
    until_quiet,
)


class _Contender:
    """Something that is done again and again by all clients, block by block."""

    def __init__(
        self, stack: BenchStack, cpu: Cpu, items: list[Any], do: Callable[[Caller, Any], Awaitable[None]]
    ) -> None:
        self._stack = stack
        self._cpu = cpu
        self._items = deque(items)
        self._do = do
        self.rates: list[float] = []
        self.costs: list[dict[str, float]] = []

    async def block(self, seconds: float) -> None:
        """Do it for so long, one item after the other; then wait until the workers have nothing left to do."""
        before, began = self._cpu.now(), time.monotonic()
        done = await all_clients(self._stack, self._until(began + seconds), self._one)
        self.rates.append(len(done) / (time.monotonic() - began))
        await until_quiet(self._stack.marks)
        self.costs.append(cost(before, self._cpu.now(), len(done)))

    @property
    def rate(self) -> float:
        """The median of all blocks."""
        return statistics.median(self.rates)

    def _until(self, end: float) -> Iterator[Any]:
        while time.monotonic() < end:
            yield self._items.popleft()

    async def _one(self, caller: Caller, item: Any) -> None:
        await self._do(caller, item)
        self._items.append(item)


async def measure_accept(stack: BenchStack, targets: int, blocks: int, seconds: float) -> list[Row]:
    """Sends a second, beside bare signals, while the workers work them off."""
    cpu = Cpu(stack)
    baton = _Contender(stack, cpu, await start_tasks(stack, targets), Caller.send)
    bare = _Contender(stack, cpu, await start_bare(stack, targets), lambda _, one: signal(one))
    await _alternate(stack, blocks, seconds, baton, bare)
    figures = (
        per_second("accept", baton.rates),
        per_second("bare signals", bare.rates),
        figure("accept and working it off", baton.costs),
        figure("bare signal and working it off", bare.costs),
    )
    return [
        Row("accept_load", "accept ÷ bare signals, 16 clients", baton.rate / bare.rate, "×", None, 5.0, figures),
    ]


async def measure_outage(stack: BenchStack, targets: int, blocks: int, seconds: float) -> list[Row]:
    """Sends a second, beside one INSERT, with Temporal away: takes it away for the rest of the run."""
    tasks = await start_tasks(stack, targets)
    await stack.stop_temporal()
    async with stack.insert_api():
        cpu = Cpu(stack)
        baton = _Contender(stack, cpu, tasks, Caller.send)
        insert = _Contender(stack, cpu, tasks, lambda caller, _: caller.insert())
        await _alternate(stack, blocks, seconds, baton, insert)
    figures = (
        per_second("accept", baton.rates),
        per_second("one INSERT", insert.rates),
        figure("accept", baton.costs),
        figure("one INSERT", insert.costs),
    )
    what = "accept ÷ a route of one INSERT, 16 clients, Temporal away"
    return [Row("accept_outage", what, baton.rate / insert.rate, "×", None, 0.85, figures)]


async def measure_turns(stack: BenchStack, targets: int, blocks: int, seconds: float) -> list[Row]:
    """Turns a second: each client sends and waits until the turn has ended."""
    cpu = Cpu(stack)

    async def baton_turn(caller: Caller, task: BenchTask) -> None:
        await until_ended(stack.marks, task, lambda: caller.send(task))

    async def bare_turn(_: Caller, one: Bare) -> None:
        await until_ended(stack.marks, one, lambda: signal(one))

    baton = _Contender(stack, cpu, await start_tasks(stack, targets), baton_turn)
    bare = _Contender(stack, cpu, await start_bare(stack, targets), bare_turn)
    await _alternate(stack, blocks, seconds, baton, bare)
    figures = (
        per_second("Baton's turns", baton.rates),
        per_second("bare turns", bare.rates),
        figure("Baton's turn", baton.costs),
        figure("bare turn", bare.costs),
    )
    return [Row("turns", "turns ÷ bare turns, 16 clients", baton.rate / bare.rate, "×", None, 0.8, figures)]


async def _alternate(stack: BenchStack, blocks: int, seconds: float, *contenders: _Contender) -> None:
    """A block of each in turns; the first of each only warms up, and brings the messages that `analyze` is to see."""
    for contender in contenders:
        await contender.block(seconds / 2)
        contender.rates.clear()
        contender.costs.clear()
    await stack.analyze()
    for n in range(blocks):
        for contender in contenders if n % 2 == 0 else reversed(contenders):
            await contender.block(seconds)
