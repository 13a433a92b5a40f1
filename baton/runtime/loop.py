"""Work that a process does over and over in the background: one loop for all of it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Self

from baton.domain.errors import Unavailable
from baton.runtime.logging import whereabouts

_log = logging.getLogger(__name__)

#: A call that has been under way for so long hangs: everything that a call does has time limits far below.
_HANGS_SECONDS: Final = 900.0
#: A loop whose last success is further back than that, and than so many of its intervals, is late.
_LATE_SECONDS: Final = 60.0
_LATE_INTERVALS: Final = 5.0


class Loop:
    """Calls ``work`` again and again until it is closed: one call at a time, and no error ends it.

    A call that raises `Unavailable` is one warning, however often it is repeated until one succeeds; any other error is
    logged each time, without its message: that might hold a user's words.
    """

    def __init__(
        self,
        name: str,
        every_seconds: float | None,
        work: Callable[[], Awaitable[object]],
        *,
        retry_seconds: float | None = None,
        at_once: bool = False,
    ) -> None:
        """``name`` begins its lines in the log.

        ``every_seconds``: from the end of a call to the next one; None: only `wake` brings about the next.
        ``retry_seconds``: the same after a call that failed, whatever wakes it meanwhile; None: as every_seconds, or 1.
        ``at_once``: the first call comes with the start instead of after every_seconds or a `wake`.
        """
        self._name = name
        self._every_seconds = every_seconds
        self._work = work
        self._retry_seconds = next(s for s in (retry_seconds, every_seconds, 1.0) if s is not None)
        self._at_once = at_once
        self._woken = asyncio.Event()
        self._waits = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._succeeded_at = 0.0
        self._called_at: float | None = None

    @property
    def name(self) -> str:
        """What begins its lines in the log."""
        return self._name

    @property
    def late_seconds(self) -> float | None:
        """For how long it has not succeeded, if that is longer than it should be. One that waits to be woken, or was
        not started, is never late."""
        if self._task is None or self._every_seconds is None:
            return None
        seconds = time.monotonic() - self._succeeded_at
        return seconds if seconds > max(_LATE_SECONDS, _LATE_INTERVALS * self._every_seconds) else None

    @property
    def is_dead(self) -> bool:
        """Whether it will do no more work, though nobody has closed it: it has ended, or its call hangs."""
        if self._task is None or self._closed:
            return False
        hangs = self._called_at is not None and time.monotonic() - self._called_at > _HANGS_SECONDS
        return self._task.done() or hangs

    def start(self) -> None:
        """Begin. Needs a running event loop."""
        self._succeeded_at = time.monotonic()
        self._task = asyncio.create_task(self._run(), name=self._name)

    def wake(self) -> None:
        """Have the work done soon: a call begins after this one, and one is enough for many."""
        self._woken.set()

    async def close(self) -> None:
        """Cancel a call under way and wait for its end; there is no other. May be called again, or without a start."""
        self._closed = True
        if self._task is not None:
            self._woken.set()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self) -> None:
        if not self._at_once:
            await self._pause()
        while not self._closed:  # the work might have swallowed the cancellation
            self._woken.clear()
            self._called_at = time.monotonic()
            succeeded = await self._succeeds()
            self._called_at = None
            if succeeded:
                self._succeeded_at = time.monotonic()
                await self._pause()
            else:
                await asyncio.sleep(self._retry_seconds)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._every_seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _succeeds(self) -> bool:
        try:
            await self._work()
        except Unavailable as error:
            if not self._waits:
                _log.warning("%s waits: %s", self._name, error)
            self._waits = True
            return False
        except asyncio.CancelledError as error:
            if self._closed:
                raise
            self._failed(error)  # not by us: something that the work waited for was given up
            return False
        except Exception as error:  # noqa: BLE001 the edge of a background task: nobody else would hear of it
            self._failed(error)
            return False
        if self._waits:
            _log.info("%s goes on", self._name)
        self._waits = False
        return True

    def _failed(self, error: BaseException) -> None:
        self._waits = False
        _log.error("%s failed, retrying: %s", self._name, whereabouts(error))
