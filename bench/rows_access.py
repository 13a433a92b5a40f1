"""What it costs a send to know who calls, and to count the call."""

import time
from itertools import cycle

import orjson

from baton.domain.agents import Scope
from baton.domain.json import JsonObject
from baton.service.keys import Beside, NewKey, create_key
from baton.service.tenants import operator
from baton.store.pool import open_pool
from bench.http import BenchConnection
from bench.report import Row, milliseconds, percentile
from bench.stack import BenchStack
from bench.targets import ASK, start_tasks, until_ended, until_quiet

_TARGETS = 8
_BODY: JsonObject = {"text": ASK}


async def measure(stack: BenchStack, rounds: int) -> list[Row]:
    """Sends to the API as it is, by a key that has a limit, and to one that neither looks nor counts, in turns."""
    tasks = cycle(await start_tasks(stack, _TARGETS))
    await stack.analyze()
    key = await _limited_key(stack)
    took: dict[str, list[float]] = {"on": [], "off": []}
    async with stack.open_api() as port:
        doors = {
            "on": await BenchConnection.open("127.0.0.1", stack.api_port, key),
            "off": await BenchConnection.open("127.0.0.1", port, key),
        }
        await until_quiet(stack.marks)
        for n in range(_TARGETS + rounds):
            for name in ("on", "off") if n % 2 else ("off", "on"):
                task = next(tasks)

                async def send(door: BenchConnection = doors[name], path: str = task.path, name: str = name) -> None:
                    began = time.monotonic()
                    answer = await door.post(path, orjson.dumps(_BODY))
                    took[name].append(time.monotonic() - began)
                    if answer.status != 202:
                        raise ConnectionError(f"{answer.status}: {answer.body!r}")

                await until_ended(stack.marks, task, send)
        for door in doors.values():
            door.close()
    on, off = (times[_TARGETS:] for times in took.values())  # the first of each find out where the tasks live
    figures = [milliseconds(f"send, {name}", times, p) for name, times in (("on", on), ("off", off)) for p in (50, 99)]
    what = "send, known and counted ÷ neither, p50, 1 client"
    return [Row("access", what, percentile(on, 50) / percentile(off, 50), "×", 1.1, None, figures)]


async def _limited_key(stack: BenchStack) -> str:
    """A key of the same tenant that is counted, and never reaches its limit."""
    pool = await open_pool(stack.dsn, min_size=0, max_size=1, application="bench")
    try:
        new = NewKey((Scope.SEND,), "bench", per_minute=1_000_000)
        return (await create_key(Beside(pool), await operator(pool, stack.tenant), new))[1]
    finally:
        await pool.close()
