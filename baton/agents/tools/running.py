"""Running tools' functions: how many at a time, for how long, and in which threads."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from baton.agents.tools.failure import TIMED_OUT, ToolFailed
from baton.agents.tools.marks import AgentTool

#: Threads for plain functions in one process. Nothing else runs in them.
MOST_THREADS: Final = 512
#: A call that was given up but cannot be ended gives its slot to another one, as long as there are not more such calls.
MOST_STRAYS: Final = 64

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Begun:
    """Whether a tool's function may have been called."""

    yes: bool = False


class ToolRunner:
    """Makes calls, each within the limits of its tool. Belongs to one event loop."""

    def __init__(self, *, most_threads: int = MOST_THREADS, most_strays: int = MOST_STRAYS) -> None:
        self._threads = ThreadPoolExecutor(most_threads, thread_name_prefix="tool")
        self._most_strays = most_strays
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._strays: Counter[str] = Counter()

    def strays(self, name: str) -> int:
        """How many calls of a tool run on in their threads although they were given up."""
        return self._strays[name]

    async def run(self, tool: AgentTool, arguments: dict[str, Any], begun: Begun, slot: "Slot | None" = None) -> object:
        """What a tool's function gives for ``arguments``. Tells ``begun``.

        ``slot`` is one that the caller has taken for the call, and leaves; without it the call waits for one. Raises
        ToolFailed where that takes longer than the tool may, and what the function raises.
        """
        if slot is not None:
            return await self._run(tool, arguments, begun, slot)
        slot = self.slot()
        await slot.wait(tool.name, tool.concurrency)
        try:
            return await self._run(tool, arguments, begun, slot)
        finally:
            slot.leave()

    def slot(self) -> "Slot":
        """A slot for one call, not taken yet."""
        return Slot(self._slots)

    async def _run(self, tool: AgentTool, arguments: dict[str, Any], begun: Begun, slot: "Slot") -> object:
        clock = asyncio.timeout(tool.options.timeout_seconds)
        try:
            async with clock:
                function = tool.function.function_schema.function
                if tool.is_plain:
                    return await self._in_thread(tool, partial(function, **arguments), slot, begun)
                begun.yes = True
                return await function(**arguments)
        except TimeoutError:
            if not clock.expired():
                raise  # the function's own
            raise ToolFailed(TIMED_OUT, _too_long(tool)) from None

    async def _in_thread(self, tool: AgentTool, function: Callable[[], object], slot: "Slot", begun: Begun) -> object:
        begun.yes = True
        call = self._threads.submit(copy_context().run, _as_function, function)
        try:
            return await asyncio.wrap_future(call)
        except asyncio.CancelledError:
            if call.cancel():
                begun.yes = False  # no thread had taken it up
            elif not call.done():
                self._let_stray(tool.name, call, slot)
            raise

    def _let_stray(self, name: str, call: Future[object], slot: "Slot") -> None:
        """Count a call that nobody waits for any more, until its thread comes to its end."""
        self._strays[name] += 1
        strays = self._strays.total()
        replaced = strays <= self._most_strays
        _log.warning(
            "a call of the tool %s was given up, and runs on in its thread: %d such calls, %d of all tools. %s",
            name,
            self._strays[name],
            strays,
            "Another call may take its slot." if replaced else "Too many: it keeps its slot.",
        )
        if not replaced:
            slot.keep()
        loop = asyncio.get_running_loop()

        def ended(_: Future[object]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody counts any more
                loop.call_soon_threadsafe(self._came_back, name, slot)

        call.add_done_callback(ended)

    def _came_back(self, name: str, slot: "Slot") -> None:
        self._strays[name] -= 1
        slot.give_back()


def _as_function(function: Callable[[], object]) -> object:
    """Call a function in its thread. What would end a loop, or the process, where it is awaited, is an error."""
    try:
        return function()
    except (StopIteration, SystemExit) as error:
        raise RuntimeError(repr(error)) from error


class Slot:
    """A call's slot among its tool's, given back once: when the call is left, or, if kept, later."""

    def __init__(self, all_slots: dict[str, asyncio.Semaphore]) -> None:
        self._all = all_slots
        self._held: asyncio.Semaphore | None = None
        self._kept = False

    async def take(self, tool: str, limit: int | None) -> bool:
        """Take one of the ``limit`` slots of a tool, unless it is taken already; False, at once, where none is free."""
        slots = self._of(tool, limit)
        if self._held is None and slots is not None and slots.locked():
            return False
        await self.wait(tool, limit)
        return True

    async def wait(self, tool: str, limit: int | None) -> None:
        """Take one of a tool's slots, once one is free."""
        slots = self._of(tool, limit)
        if self._held is None and slots is not None:
            await slots.acquire()
            self._held = slots

    def _of(self, tool: str, limit: int | None) -> asyncio.Semaphore | None:
        return None if limit is None else self._all.setdefault(tool, asyncio.Semaphore(limit))

    def keep(self) -> None:
        """Keep it beyond the call, until it is given back."""
        self._kept = True

    def leave(self) -> None:
        """The call is over: give the slot back, unless it is kept."""
        if not self._kept:
            self.give_back()

    def give_back(self) -> None:
        """Let another call have it."""
        if self._held is not None:
            self._held.release()
            self._held = None


def _too_long(tool: AgentTool) -> str:
    seconds = f"{tool.options.timeout_seconds:g} s"
    if tool.is_plain:
        return f"{tool.name} gave no result within {seconds}. It cannot be ended, and may still come to its end."
    effect = "" if tool.options.repeatable else " It may have taken effect."
    return f"{tool.name} was ended after {seconds} without a result.{effect}"
