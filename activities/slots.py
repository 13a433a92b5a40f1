"""What a worker may ask Temporal for: its slots, which can be closed before the worker stops.

A request for tasks that is broken off while Temporal answers it loses the task: a workflow task for the ten seconds of
its timeout, a step until its heartbeat is missed. So a worker that stops first asks for nothing more, and waits until
what it has asked for has come, see `activities.sticky` for its own queue. The SDK alone breaks its requests off (newer
servers end them instead).
"""

import asyncio
from collections import Counter, deque
from threading import Lock
from typing import Final

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

from activities.sticky import StickyQueue
from baton.metrics import labels
from baton.metrics.series import SLOTS_FREE

#: Where Temporal cannot be had to end the requests to a worker's own (sticky) queue: they are answered soon, or seldom.
_STICKY_SECONDS: Final = 0.3
#: What is just being given to a worker is not lost, however busy the machine is.
_ANSWER_SECONDS: Final = 5.0
#: The SDK has one slot in hand for each kind of request, and makes one more when others end: that is to be ended, too.
_AGAIN_SECONDS: Final = 0.02


class _Permit(SlotPermit):
    """A slot that is taken. ``asks``: for a request to Temporal that has not been answered yet."""

    __slots__ = ("asks", "sticky")

    def __init__(self, sticky: bool, asks: bool) -> None:
        self.sticky = sticky
        self.asks = asks


class Slots(CustomSlotSupplier):
    """A fixed number of slots for tasks of one kind, that can be closed. Called from the SDK's threads, too."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._lock = Lock()
        self._closed: set[bool] = set()
        self._asking: Counter[bool] = Counter()
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> int:
        """How many are neither used nor kept for what was asked for."""
        return self._free

    def close(self, *, sticky: bool = False) -> None:
        """Give no slot any more for requests. ``sticky``: those for what belongs to workflows in the worker's cache;
        else, all others."""
        with self._lock:
            self._closed.add(sticky)

    async def answered(self, seconds: float, *, sticky: bool = False, quiet: float | None = None) -> bool:
        """Wait until all requests of a kind are answered, ``seconds`` at most, and no longer than until none has been
        for ``quiet`` seconds. Whether they are."""
        now = asyncio.get_running_loop().time
        end, still, left = now() + seconds, now() + (quiet or seconds), self._asking[sticky]
        while change := self._until_answered(sticky):
            try:
                async with asyncio.timeout_at(min(end, still)):
                    await change
            except TimeoutError:
                return False
            if self._asking[sticky] < left:
                still, left = now() + (quiet or seconds), self._asking[sticky]
        return True

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """See `CustomSlotSupplier`."""
        while not isinstance(given := self._take_or_wait(ctx.is_sticky), _Permit):
            await given
        return given

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """See `CustomSlotSupplier`."""
        with self._lock:
            return self._take(ctx.is_sticky, asks=False)

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """See `CustomSlotSupplier`."""
        with self._lock:
            self._answered(ctx.permit)
            if self._closed:
                self._tell()

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """See `CustomSlotSupplier`."""
        with self._lock:
            self._answered(ctx.permit)
            self._free += 1
            self._tell()

    def _take_or_wait(self, sticky: bool) -> _Permit | asyncio.Future[None]:
        with self._lock:
            return self._take(sticky, asks=True) or self._change()

    def _until_answered(self, sticky: bool) -> asyncio.Future[None] | None:
        with self._lock:
            return self._change() if self._asking[sticky] else None

    def _take(self, sticky: bool, *, asks: bool) -> _Permit | None:
        if not self._free or sticky in self._closed:
            return None
        self._free -= 1
        self._asking[sticky] += asks
        return _Permit(sticky, asks)

    def _answered(self, permit: SlotPermit) -> None:
        if isinstance(permit, _Permit) and permit.asks:
            permit.asks = False
            self._asking[permit.sticky] -= 1

    def _change(self) -> asyncio.Future[None]:
        change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        return change

    def _tell(self) -> None:
        while self._waiting:
            change = self._waiting.popleft()
            change.get_loop().call_soon_threadsafe(_done, change)


def _done(change: asyncio.Future[None]) -> None:
    if not change.done():
        change.set_result(None)


class WorkerSlots:
    """The slots of one worker: ``turns`` for workflow tasks, ``steps`` for activities."""

    def __init__(self, queue: str, turns: int, steps: int) -> None:
        self.turns: Final = Slots(turns)
        self.steps: Final = Slots(steps)
        # The SDK's own series leave out slots that are given by others.
        SLOTS_FREE.labels(labels.queue(queue), "workflow").set_function(lambda: self.turns.free)
        SLOTS_FREE.labels(labels.queue(queue), "activity").set_function(lambda: self.steps.free)
        self.tuner: Final = WorkerTuner.create_composite(
            workflow_supplier=self.turns,
            activity_supplier=self.steps,
            local_activity_supplier=FixedSizeSlotSupplier(1),
            nexus_supplier=FixedSizeSlotSupplier(1),
        )

    async def close(self, quiet: float, own: StickyQueue) -> None:
        """Ask for nothing more, and wait until what was asked for has come, or nothing has for ``quiet`` seconds.

        To be followed at once by the worker's shutdown: what comes for workflows in its cache may wait for a timeout
        until then.
        """
        self.turns.close()
        self.steps.close()
        name = await own.name()
        if name is not None:  # from now on what its workflows have to do comes by the shared queue, to this worker, too
            await self._forget(own, name)
        await asyncio.gather(
            self.turns.answered(_ANSWER_SECONDS, quiet=quiet), self.steps.answered(_ANSWER_SECONDS, quiet=quiet)
        )
        if name is None:  # served until now: no other worker would have got it
            self.turns.close(sticky=True)
            await self.turns.answered(_STICKY_SECONDS, sticky=True)

    async def _forget(self, own: StickyQueue, name: str) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _ANSWER_SECONDS
        self.turns.close(sticky=True)
        while loop.time() < until and await own.forget(name):
            if await self.turns.answered(_AGAIN_SECONDS, sticky=True):
                await own.forget(name)  # the last request may have been answered with a task
                return
        await self.turns.answered(_STICKY_SECONDS, sticky=True)
