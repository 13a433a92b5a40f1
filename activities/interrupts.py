"""The quick way for an interrupt to reach the step that it is for, and for a stopping worker to hand its steps over.

Cancellation by Temporal is durable but reaches an activity only with a heartbeat. The API also sends a NOTIFY, which
`Interrupts.heard` gets; whichever comes first ends the step.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from temporalio import activity

from baton.domain.ids import StepKey

_T = TypeVar("_T")


class Reach:
    """One activity's work, as far as interrupts can reach it."""

    def __init__(self, *, handed_over: bool = False) -> None:
        self._interrupted = False
        self._handed_over = handed_over
        self._is_dear: Callable[[], bool] = lambda: False
        self._work: asyncio.Future[Any] | None = None
        self._began = time.monotonic()

    @property
    def interrupted(self) -> bool:
        """Whether an interrupt has come."""
        return self._interrupted

    @property
    def seconds(self) -> float:
        """For how long the activity has been at work."""
        return time.monotonic() - self._began

    @property
    def ends_turn(self) -> bool:
        """Whether what was cancelled is to end its turn. Anything else is left to the attempt that follows.

        A worker that is stopping does not interrupt it, nor does Temporal when it has given the attempt up (its
        heartbeats did not arrive for a while, a person paused or reset the activity).
        """
        details = activity.cancellation_details()
        asked = self._interrupted or (details is not None and details.cancel_requested)
        return asked and not activity.is_worker_shutdown()

    def interrupt(self) -> None:
        """End the work, or do not let it begin."""
        self._interrupted = True
        if self._work:
            self._work.cancel()

    def spare(self, is_dear: Callable[[], bool]) -> None:
        """Let the work go on in a stopping worker while ``is_dear``: another attempt would be paid for, or would have
        to ask first."""
        self._is_dear = is_dear

    def hand_over(self, *, even_dear: bool) -> None:
        """Leave the work to another worker, if it may be; also before it begins."""
        if even_dear or not self._is_dear():
            self._handed_over = True
            if self._work:
                self._work.cancel()

    async def run(self, work: Awaitable[_T]) -> _T:
        """Wait for ``work``. An interrupt is a `CancelledError` here, also one that came before.

        So is a cancellation of the activity, which `finish` may have kept from what ran before this, and `hand_over`.
        """
        future = asyncio.ensure_future(work)
        self._work = future
        if self._interrupted or self._handed_over or activity.is_cancelled():
            future.cancel()
        try:
            return await future
        finally:
            self._work = None


class Interrupts:
    """The steps and tool calls at work in this process, by the turn that an interrupt names."""

    def __init__(self) -> None:
        self._reaches: dict[tuple[UUID, int], list[Reach]] = {}
        self._handing_over = False

    def heard(self, item: str) -> None:
        """An interrupt, as `task/turn`: every step of that turn, or of one before it, is to stop."""
        task, _, turn = item.partition("/")
        for (task_id, working), reaches in list(self._reaches.items()):
            if str(task_id) == task and working <= int(turn):
                for reach in reaches:
                    reach.interrupt()

    def hand_over(self, *, even_dear: bool = False) -> None:
        """Leave all work to other workers, also what begins from now on: this one is stopping.

        ``even_dear``: also what was spared, see `Reach.spare`.
        """
        self._handing_over = True
        for reach in self._all():
            reach.hand_over(even_dear=even_dear)

    def hand_over_long(self, seconds: float) -> None:
        """Leave to other workers what has been at work for ``seconds`` or longer, unless it was spared."""
        for reach in self._all():
            if reach.seconds >= seconds:
                reach.hand_over(even_dear=False)

    def _all(self) -> list[Reach]:
        return [reach for reaches in self._reaches.values() for reach in reaches]

    @contextmanager
    def reaching(self, key: StepKey) -> Generator[Reach]:
        """While in here, an interrupt for the turn reaches what runs in the `Reach`."""
        name, reach = (key.task_id, key.turn), Reach(handed_over=self._handing_over)
        self._reaches.setdefault(name, []).append(reach)
        try:
            yield reach
        finally:
            left = self._reaches[name]
            left.remove(reach)
            if not left:
                del self._reaches[name]


async def finish(work: Awaitable[_T]) -> _T:
    """Wait for ``work`` to its end, whatever is cancelled meanwhile: a transaction is not to be torn."""
    future = asyncio.ensure_future(work)
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            if future.cancelled():
                raise
        except Exception:  # noqa: BLE001 - raised below, by result()
            break
    return future.result()
