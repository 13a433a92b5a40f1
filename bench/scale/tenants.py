"""More and more tenants, each with an agent, a key and a task that waits."""

import itertools
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from baton.domain.agents import Scope
from baton.domain.quota import UNLIMITED
from baton.service.keys import Beside, NewKey, create_key
from baton.service.tenants import default_agent, operator
from baton.store.pool import Pool
from bench.http import BenchConnection
from bench.scale.points import Point, p50
from bench.stack import BenchStack
from bench.targets import until_quiet

_TIMES: Final = 200


async def measure(stack: BenchStack, pool: Pool, sizes: Sequence[int]) -> AsyncGenerator[Point]:
    """Calls go to one tenant after the other, so that each finds what the API keeps of a caller as old as can be."""
    callers = list[BenchConnection]()
    before, started = _temporal_bytes(stack), 0
    for size in sizes:
        while len(callers) < size:
            callers.append(await _tenant(stack, pool, f"bench-{len(callers)}"))
        async with pool.connection() as connection:
            await connection.execute("ANALYZE")
        following = itertools.cycle(callers)
        point = Point("tenants", size)
        point.figures["create p50, ms"] = await p50(lambda f=following: _start(next(f)), _TIMES)
        started += _TIMES + 1
        point.figures["inbox p50, ms"] = await p50(lambda f=following: _read(next(f)), _TIMES)
        await until_quiet(stack.marks)
        point.figures["Temporal's disk for each waiting task, KB"] = (_temporal_bytes(stack) - before) / started / 1e3
        yield point
    for caller in callers:
        caller.close()


def _temporal_bytes(stack: BenchStack) -> int:
    """Of the development server's SQLite, in which each of its tables has its indexes."""
    return sum(file.stat().st_size for file in stack.logs.parent.glob("temporal.db*"))


async def _tenant(stack: BenchStack, pool: Pool, name: str) -> BenchConnection:
    await default_agent(pool, name)
    _, key = await create_key(
        Beside(pool), await operator(pool, name), NewKey(tuple(Scope), name, per_minute=UNLIMITED)
    )
    return await BenchConnection.open("127.0.0.1", stack.api_port, key)


async def _start(caller: BenchConnection) -> None:
    answer = await caller.post("/baton/v1/executions", b'{"prompt": "!ask next?"}')
    assert answer.status < 300, answer


async def _read(caller: BenchConnection) -> None:
    answer = await caller.get("/baton/v1/tasks?state=waiting")
    assert answer.status == 200, answer
