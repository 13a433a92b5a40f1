"""Work that a process does over and over in the background: one loop for all of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Self

from baton.domain.errors import Unavailable
from baton.runtime.logging import whereabouts

_log = logging.getLogger(__name__)


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

    def start(self) -> None:
        """Begin. Needs a running event loop."""
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
            if await self._succeeds():
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
