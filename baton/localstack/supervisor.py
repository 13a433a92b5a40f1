"""Keep the parts of a stack running until told to stop."""

import asyncio
import time
from collections.abc import Callable, Sequence

from baton.localstack.part import Part, PartFailed, RunningPart, how_it_ended, start
from baton.localstack.spawn import kill_group

#: A part that had run for so long is started again at once; one that dies sooner waits, each time twice as long.
_SETTLED_SECONDS = 10.0
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 5.0


class Supervisor:
    """Starts parts, starts again what dies, stops all. For one event loop."""

    def __init__(self, say: Callable[[str], None], on_change: Callable[[], None]) -> None:
        """``say`` gets what a person should know; ``on_change`` is called when a part has another process id."""
        self._say = say
        self._on_change = on_change
        self._running: dict[str, RunningPart] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The process id of every part that was started; of a part that is being started again, the last one."""
        return {name: running.pid for name, running in self._running.items()}

    async def start(self, part: Part) -> None:
        """Start a part and keep it running from now on. Returns when it is up; raises PartFailed if it does not come up
        this first time."""
        running = await start(part)
        self._running[part.name] = running
        self._keepers[part.name] = asyncio.create_task(self._keep(running), name=f"keep {part.name}")
        self._on_change()

    async def watch(self) -> None:
        """Runs for ever, unless keeping a part fails by a bug: raises that."""
        done, _ = await asyncio.wait(self._keepers.values(), return_when=asyncio.FIRST_COMPLETED)
        for keeper in done:
            keeper.result()

    async def stop(self, order: Sequence[str]) -> None:
        """Stop all that runs, in this order, one after the other; what is being started again is given up."""
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        for name in order:
            running = self._running.pop(name, None)
            if running is not None:
                await running.stop()

    async def _keep(self, running: RunningPart) -> None:
        delay = _FIRST_DELAY_SECONDS
        while True:
            await running.process.wait()
            kill_group(running.pid)
            name = running.part.name
            self._say(f"{name} (process {running.pid}) ended with {how_it_ended(running)}; starting it again")
            if time.monotonic() - running.started >= _SETTLED_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            else:
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY_SECONDS)
            running = await self._start_again(running.part)
            self._running[name] = running
            self._say(f"{name} is up again (process {running.pid})")
            self._on_change()

    async def _start_again(self, part: Part) -> RunningPart:
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                return await start(part)
            except PartFailed as failure:
                self._say(str(failure))
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)
