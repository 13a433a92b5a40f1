"""When messages are due: a part of them before the first fault, and a part during and after each."""

import asyncio
import time


class Pace:
    """``parts`` parts of equal size, each spread over ``seconds`` from when it is released.

    A part is sent while its fault lasts, so that every fault comes under load. With one part there is no pace: as fast
    as it goes.
    """

    def __init__(self, parts: int, seconds: float) -> None:
        self._seconds = seconds if parts > 1 else 0.0
        self._released: list[asyncio.Future[float]] = [asyncio.get_running_loop().create_future() for _ in range(parts)]

    def release(self, part: int) -> None:
        """Let a part begin now."""
        if not self._released[part].done():
            self._released[part].set_result(time.monotonic())

    async def wait(self, n: int, of: int) -> None:
        """Wait until message ``n`` (from 0) of ``of`` is due."""
        part, within = divmod(n * len(self._released), of)
        began = await asyncio.shield(self._released[part])
        await asyncio.sleep(began + self._seconds * within / of - time.monotonic())
