"""One call at a time, with nothing else to do: how long a call takes, and how long until the agent is at work."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from itertools import cycle

from bench.marks import BEGUN, ENDED, MODEL, Marks
from bench.report import Row, milliseconds, percentile
from bench.stack import BenchStack
from bench.targets import Bare, BenchTask, Caller, signal, start_bare, start_plans, start_tasks

#: Nothing of what was sent before is left to do. Also, Temporal reads a shard's new tasks at most 20 times a second
#: (history.transferProcessorMaxPollRPS): calls that come sooner after one another measure that, on both sides.
_QUIET_SECONDS = 0.2
_TARGETS = 8


class _Times:
    """Durations in seconds since the beginning of the call, by contender and by what had happened then."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.of: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    async def turn(self, name: str, target: BenchTask | Bare, send: Callable[[], Awaitable[None]], *told: str) -> None:
        """Time a call and the turn that it leads to."""
        marked = {what: self._marks.next(what, target.workflow) for what in (*told, ENDED)}
        began = time.monotonic()
        await send()
        self.of[name, "call"].append(time.monotonic() - began)
        for what, future in marked.items():
            self.of[name, what].append(await asyncio.wait_for(future, 30) - began)
        await asyncio.sleep(_QUIET_SECONDS)

    async def call(self, name: str, send: Callable[[], Awaitable[None]]) -> None:
        """Time a call that leads to nothing."""
        began = time.monotonic()
        await send()
        self.of[name, "call"].append(time.monotonic() - began)
        await asyncio.sleep(_QUIET_SECONDS)


async def measure(stack: BenchStack, rounds: int) -> list[Row]:
    """Accept, Kubiya's send and the start of the step, each beside what it is compared with, in turns."""
    async with stack.insert_api():
        return await _measure(stack, rounds)


async def _measure(stack: BenchStack, rounds: int) -> list[Row]:
    tasks = cycle(await start_tasks(stack, _TARGETS))
    plans = cycle(await start_plans(stack, _TARGETS))
    bares = cycle(await start_bare(stack, _TARGETS))
    await stack.analyze()
    caller, times = await Caller.open(stack), _Times(stack.marks)

    async def accept() -> None:
        task = next(tasks)
        await times.turn("baton", task, lambda: caller.send(task), BEGUN, MODEL)

    async def kubiya() -> None:
        task = next(plans)
        await times.turn("kubiya", task, lambda: caller.send(task))

    async def bare() -> None:
        one = next(bares)
        await times.turn("bare", one, lambda: signal(one), BEGUN)

    async def insert() -> None:
        await times.call("insert", caller.insert)

    contenders = [accept, bare, insert, kubiya]
    for do in contenders * _TARGETS:
        await do()
    times.of.clear()  # each has been called: its workflow is in its worker's memory, its statements are prepared
    for _ in range(rounds):
        for do in contenders:
            await do()
        contenders.append(contenders.pop(0))  # nobody always comes after the same other
    caller.close()
    return _rows(times)


def _rows(times: _Times) -> list[Row]:
    def p50(name: str, what: str = "call") -> float:
        return percentile(times.of[name, what], 50)

    accept, bare, insert = times.of["baton", "call"], times.of["bare", "call"], times.of["insert", "call"]
    calls = (
        milliseconds("accept", accept),
        milliseconds("accept", accept, 99),
        milliseconds("bare signal", bare),
        milliseconds("bare signal", bare, 99),
        milliseconds("one INSERT", insert),
        milliseconds("one INSERT", insert, 99),
    )
    began = (
        milliseconds("message → model step's activity", times.of["baton", BEGUN]),
        milliseconds("message → model called", times.of["baton", MODEL]),
        milliseconds("message → turn recorded", times.of["baton", ENDED]),
        milliseconds("bare signal → activity", times.of["bare", BEGUN]),
        milliseconds("bare signal → activity done", times.of["bare", ENDED]),
    )
    return [
        Row("accept_signal", "accept ÷ bare signal, p50, 1 client", p50("baton") / p50("bare"), "×", 0.35, None, calls),
        Row("accept_insert", "accept ÷ a route of one INSERT, p50, 1 client", p50("baton") / p50("insert"), "×", 1.6),
        Row(
            "kubiya_signal",
            "Kubiya's send, which waits for the signal ÷ bare signal, p50",
            p50("kubiya") / p50("bare"),
            "×",
            1.6,
            None,
            (milliseconds("Kubiya's send", times.of["kubiya", "call"]),),
        ),
        Row(
            "step_running",
            "message → model step running ÷ bare signal → activity running, p50",
            p50("baton", BEGUN) / p50("bare", BEGUN),
            "×",
            1.2,
            None,
            began,
        ),
    ]
