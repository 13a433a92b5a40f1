"""Larger and larger plans: creating one, and working all of its tasks off."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final
from uuid import UUID

from baton.domain.json import JsonObject
from baton.store.pool import Pool
from bench.scale.points import Point, p50
from bench.stack import QUEUE, BenchStack
from bench.targets import Caller

_SECONDS: Final = 1800.0
_POLL_SECONDS: Final = 0.25


async def measure(stack: BenchStack, pool: Pool, sizes: Sequence[int]) -> AsyncGenerator[Point]:
    """Plans of independent tasks, each of which answers at once."""
    caller = await Caller.open(stack)
    for size in sizes:
        began = time.monotonic()
        started = await caller.start("/api/v1/tasks/plan/execute", {"plan": _plan(size), "worker_queue_id": QUEUE})
        created = time.monotonic()
        execution = started["execution_id"]
        await _until_over(pool, execution)
        ended = time.monotonic()
        figures = {
            "created, ms": (created - began) * 1000,
            "from start to end, s": ended - created,
            "the same for each task, ms": (ended - created) * 1000 / size,
            "read whole p50, ms": await p50(lambda e=execution: caller.read(f"/baton/v1/executions/{e}"), 5),
        }
        yield Point("plans", size, figures)
    caller.close()


def _plan(size: int) -> JsonObject:
    tasks: list[Any] = [
        {"id": n, "title": f"task {n}", "description": "!say done", "dependencies": []} for n in range(1, size + 1)
    ]
    return {"title": "bench", "team_breakdown": [{"team_name": "bench", "tasks": tasks}]}


async def _until_over(pool: Pool, execution: str) -> None:
    async with asyncio.timeout(_SECONDS), pool.connection() as connection:
        while await connection.fetchval("SELECT state FROM executions WHERE id = $1", UUID(execution)) != "succeeded":
            await asyncio.sleep(_POLL_SECONDS)
