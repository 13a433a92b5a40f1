"""More and more tasks that wait: disk, and what each part does about them."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from itertools import cycle
from typing import Final
from uuid import UUID

from baton.service.backlog import AGES
from baton.store import backlog, rings, sweeps
from baton.store.connecting import connect
from baton.store.pool import Connection, Pool
from bench.cpu import idle
from bench.scale.copies import copy
from bench.scale.points import Point, p50
from bench.stack import BenchStack
from bench.targets import BenchTask, Caller, start_tasks, until_ended, until_quiet

_REAL: Final = 20
_TIMES: Final = 60
_SILENT_SECONDS: Final = 60.0
_PACE: Final = rings.RingPace(200, 50, 5.0, 60.0)
_INBOX: Final = "/baton/v1/tasks?state=waiting"


async def measure(stack: BenchStack, pool: Pool, sizes: Sequence[int], idle_seconds: float) -> AsyncGenerator[Point]:
    """Twenty tasks are real and get messages; the others are copies of one of them."""
    tasks = await start_tasks(stack, _REAL)
    caller = await Caller.open(stack)
    plain = await connect(stack.dsn, 60.0, "bench scale")  # without the pool's time limits
    tenant = UUID(str(await plain.fetchval("SELECT id FROM tenants WHERE name = $1", stack.tenant)))
    empty, made = await _bytes(plain), _REAL
    for size in sizes:
        await copy(plain, tenant, UUID(tasks[0].execution), size - made)
        made = max(size, made)
        await plain.execute("VACUUM ANALYZE")
        point = Point("waiting", size)
        if size > _REAL:
            point.figures["disk for each, KB"] = (await _bytes(plain) - empty) / (made - _REAL) / 1e3
        await _calls(stack, caller, tasks, point)
        async with pool.connection() as connection:
            await _background(connection, point)
        await _idle(stack, idle_seconds, point)
        yield point
    await plain.close()
    caller.close()


async def _calls(stack: BenchStack, caller: Caller, tasks: Sequence[BenchTask], point: Point) -> None:
    accepts, turns = list[float](), list[float]()
    following = cycle(tasks)

    async def turn() -> None:
        async def send() -> None:
            began = time.monotonic()
            await caller.send(task)
            accepts.append((time.monotonic() - began) * 1000)

        task = next(following)
        began = time.monotonic()
        await until_ended(stack.marks, task, send)
        turns.append((time.monotonic() - began) * 1000)

    await p50(turn, _TIMES, 0.02)
    point.figures["accept p50, ms"] = sorted(accepts)[len(accepts) // 2]
    point.figures["turn p50, ms"] = sorted(turns)[len(turns) // 2]
    body = {"prompt": "!say done"}
    point.figures["create p50, ms"] = await p50(lambda: caller.start("/baton/v1/executions", body), _TIMES, 0.02)
    point.figures["inbox, first page p50, ms"] = await p50(lambda: caller.read(_INBOX), _TIMES)


async def _background(connection: Connection, point: Point) -> None:
    """What the relay, the sweeper and the metrics ask PostgreSQL, on their own."""

    async def sweep() -> None:
        await sweeps.audit(connection, None, 5000)
        await sweeps.ring_silent(connection, _SILENT_SECONDS)

    async def look() -> None:
        await sweeps.open_turns(connection, _SILENT_SECONDS, (), 200)
        await sweeps.unheard_tasks(connection, _SILENT_SECONDS, (), 200)
        await sweeps.unheard_plans(connection, (), 200)

    async def relay() -> None:
        await rings.due_tasks(connection, _PACE)
        await rings.due_plans(connection, _PACE)

    async def count() -> None:
        await backlog.unprocessed(connection, AGES, by_tenant=False)
        await backlog.waiting(connection, AGES, by_tenant=False)
        await backlog.unheard(connection)

    every: dict[str, Callable[[], Awaitable[None]]] = {
        "one sweep, ms": sweep,
        "one look for stuck runs, ms": look,
        "one look of the relay, ms": relay,
        "counting for metrics, ms": count,
    }
    for name, do in every.items():
        point.figures[name] = await p50(do, 9)


async def _idle(stack: BenchStack, seconds: float, point: Point) -> None:
    await until_quiet(stack.marks)
    used = await idle(stack, seconds)
    for part in ("api", "worker", "postgres", "temporal"):
        point.figures[f"idle CPU of {part}, % of a core"] = used[part]


async def _bytes(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT pg_database_size(current_database())"))
