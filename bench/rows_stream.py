"""From the log to a reader: how long after an event was written a client of the stream has it."""

import asyncio
import time
from datetime import datetime

import orjson

from bench.http import BenchConnection
from bench.report import Row, milliseconds, percentile
from bench.stack import BenchStack
from bench.targets import ASK, BenchTask, Caller, start_tasks, until_ended

_TASKS = 4
_STREAMING = f"!stream 10\n{ASK}"


class _Reader:
    """A client of one execution's stream. `lags` are seconds, by PostgreSQL's clock and ours, which are one."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self._rest = b""

    async def read(self, stack: BenchStack, task: BenchTask) -> None:
        """Read until cancelled."""
        connection = await BenchConnection.open("127.0.0.1", stack.api_port, stack.api_key)
        try:
            async for piece in connection.stream(f"/baton/v1/executions/{task.execution}/events"):
                self._take(piece, time.time())
        finally:
            connection.close()

    def _take(self, piece: bytes, now: float) -> None:
        *whole, self._rest = (self._rest + piece).split(b"\n\n")
        for frame in whole:
            for line in frame.split(b"\n"):
                if line.startswith(b"data: "):
                    event = orjson.loads(line[6:])
                    if "at" in event:
                        self.lags.append(now - datetime.fromisoformat(event["at"]).timestamp())


async def measure(stack: BenchStack, turns: int) -> list[Row]:
    """Turns that stream a little text, one after the other on several tasks, each with a reader."""
    tasks = await start_tasks(stack, _TASKS)
    await stack.analyze()
    readers = [_Reader() for _ in tasks]
    reading = [asyncio.create_task(reader.read(stack, task)) for reader, task in zip(readers, tasks, strict=True)]
    await asyncio.sleep(0.5)  # what was written before they came is no matter
    for reader in readers:
        reader.lags.clear()
    caller = await Caller.open(stack)
    for n in range(turns):
        task = tasks[n % len(tasks)]
        await until_ended(stack.marks, task, lambda task=task: caller.send(task, _STREAMING))
    await asyncio.sleep(0.5)
    for one in reading:
        one.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    caller.close()
    lags = [lag for reader in readers for lag in reader.lags]
    figures = (milliseconds(f"{len(lags)} events", lags, 90), milliseconds("the same", lags, 99))
    what = "event written → a reader has it, p50"
    return [Row("stream_lag", what, percentile(lags, 50) * 1000, "ms", 10.0, None, figures)]
