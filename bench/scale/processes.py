"""More API processes and workers on the same cores: what each costs, not what it gains."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

import psutil

from baton.localstack.part import start
from baton.localstack.probes import worker_polls
from baton.runtime.listener import listen
from baton.store.pool import Pool
from bench.cpu import Cpu, cost, idle
from bench.scale.points import Point
from bench.stack import QUEUE, BenchStack
from bench.targets import Caller, all_clients, start_tasks, until_ended, until_quiet

_TASKS: Final = 100
_TURNS: Final = 400


async def measure(stack: BenchStack, pool: Pool, sizes: Sequence[int], idle_seconds: float) -> AsyncGenerator[Point]:
    """So many of each, all serving one queue and one database."""
    tasks = await start_tasks(stack, _TASKS)
    async with AsyncExitStack() as cleanup:
        apis, workers = [stack], ["worker"]
        for size in sizes:
            while len(apis) < size:
                apis.append(await _another_api(stack, f"api {len(apis) + 1}", cleanup))
                workers.append(await _another_worker(stack, f"worker {len(workers) + 1}", cleanup))
            point = Point("processes", size)
            cpu = Cpu(stack)
            turn_cost, rate = await _turns(stack, apis, tasks, cpu)
            for part in ("api", "worker", "postgres", "temporal"):
                point.figures[f"CPU of {part} for a turn, ms"] = _sum(turn_cost, part)
            point.figures["turns, /s"] = rate
            spent = await idle(stack, idle_seconds)
            for part in ("api", "worker", "postgres", "temporal"):
                point.figures[f"idle CPU of {part}, % of a core"] = _sum(spent, part)
            for part in ("api", "worker"):
                memory = [
                    psutil.Process(one.pid).memory_info().rss
                    for name, one in stack.parts.items()
                    if name.split(" ")[0] == part
                ]
                point.figures[f"memory of each {part}, MB"] = sum(memory) / len(memory) / 1e6
            async with pool.connection() as connection:
                count = await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                )
            point.figures["connections to PostgreSQL"] = float(count)
            yield point


async def _turns(
    stack: BenchStack, apis: Sequence[BenchStack], tasks: Sequence[object], cpu: Cpu
) -> tuple[dict[str, float], float]:
    """Milliseconds of CPU for a turn by process, and turns a second: 16 clients, over all API processes in turn."""
    count, rates = 0, list[float]()
    before = cpu.now()
    for api in apis:
        share = _TURNS // len(apis)
        began = time.monotonic()

        async def turn(caller: Caller, task: object) -> None:
            await until_ended(stack.marks, task, lambda: caller.send(task))  # pyright: ignore[reportArgumentType]

        await all_clients(api, (tasks[n % len(tasks)] for n in range(share)), turn)
        rates.append(share / (time.monotonic() - began))
        count += share
    await until_quiet(stack.marks)
    return cost(before, cpu.now(), count), sum(rates) / len(rates)


def _sum(by_process: dict[str, float], part: str) -> float:
    return sum(value for name, value in by_process.items() if name.split(" ")[0] == part)


async def _another_api(stack: BenchStack, name: str, cleanup: AsyncExitStack) -> BenchStack:
    listener = listen("127.0.0.1", 0)
    cleanup.callback(listener.close)
    stack.parts[name] = await start(stack.server(name, ["-m", "baton.cli", "api", "--fd"], listener))
    cleanup.push_async_callback(_stop, stack, name)
    return replace(stack, api_port=listener.getsockname()[1])


async def _another_worker(stack: BenchStack, name: str, cleanup: AsyncExitStack) -> str:
    part = stack.part(name, ["-m", "bench.baton_worker"], worker_polls(stack.client, QUEUE), [])
    stack.parts[name] = await start(part)
    cleanup.push_async_callback(_stop, stack, name)
    return name


async def _stop(stack: BenchStack, name: str) -> None:
    await stack.parts.pop(name).stop()
