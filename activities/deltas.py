"""Streamed text on its way to the log: the first piece at once, then coalesced in time.

One statement per execution and flush carries the text of all its steps in this worker: an execution's row takes a few
hundred commits a second, no more.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final
from uuid import UUID

from baton.domain.errors import NotFound, Unavailable
from baton.domain.ids import ExecutionId, StepKey, TenantId
from baton.runtime.loop import Loop
from baton.store import steps
from baton.store.pool import Pool
from baton.store.steps import Delta, StepAttempt

#: Text that could not be written is tried again so soon.
_RETRY_SECONDS: Final = 0.2
_log = logging.getLogger(__name__)


class _ExecutionLog:
    """The text of one execution that is not in its log yet, and the loop that brings it there."""

    def __init__(
        self,
        pool: Pool,
        notify: Callable[[UUID], None],
        interval_seconds: float,
        tenant_id: TenantId,
        execution_id: ExecutionId,
    ) -> None:
        self._pool = pool
        self._notify = notify
        self._interval_seconds = interval_seconds
        self._tenant_id = tenant_id
        self._execution_id = execution_id
        #: pieces of text, by the delta (without text) that they will be
        self._pending: dict[Delta, list[str]] = {}
        self._flushing = asyncio.Lock()
        self._loop: Loop | None = None
        self.streams = 0

    def add(self, blank: Delta, text: str) -> None:
        self._pending.setdefault(blank, []).append(text)
        if self._loop is None:  # many a step streams nothing
            self._loop = Loop("streamed text", None, self._flush_and_rest, retry_seconds=_RETRY_SECONDS)
            self._loop.start()
        self._loop.wake()

    async def close(self) -> None:
        if self._loop is not None:
            await self._loop.close()

    async def take(self, *blanks: Delta) -> list[Delta]:
        """What is not in the log yet of some deltas. Waits for a flush."""
        async with self._flushing:
            return _deltas({blank: self._pending.pop(blank) for blank in blanks if blank in self._pending})

    async def _flush_and_rest(self) -> None:
        if await self._flush():
            self._notify(self._execution_id)
        await asyncio.sleep(self._interval_seconds)

    async def _flush(self) -> bool:
        """Whether the log has grown. Any error but `Unavailable` drops the text: the step's record holds all of it."""
        async with self._flushing:
            batch, self._pending = self._pending, {}
            if not batch:
                return False
            try:
                async with self._pool.connection(self._execution_id) as connection:
                    await steps.append_deltas(connection, self._tenant_id, self._execution_id, _deltas(batch))
            except Unavailable:
                # May or may not be committed; the step that streams it will meet the same database and be retried.
                self._put_back(batch)
                raise
            except NotFound:
                _log.warning("streamed text dropped: execution %s is gone", self._execution_id)
                return False
        return True

    def _put_back(self, batch: dict[Delta, list[str]]) -> None:
        for blank, pieces in self._pending.items():
            batch.setdefault(blank, []).extend(pieces)
        self._pending = batch


def _deltas(pending: dict[Delta, list[str]]) -> list[Delta]:
    return [replace(blank, text="".join(pieces)) for blank, pieces in pending.items()]


class DeltaStream:
    """What one attempt of a step streams."""

    def __init__(self, log: _ExecutionLog, key: StepKey, started: StepAttempt) -> None:
        self._log = log
        self._blank = Delta(key.task_id, started.position, key.turn, key.step, started.attempt, "")
        self._reasoning = replace(self._blank, reasoning=True)

    def write(self, text: str) -> None:
        """Add a piece of text. Never waits."""
        self._log.add(self._blank, text)

    def reason(self, text: str) -> None:
        """Add a piece of reasoning. Never waits."""
        self._log.add(self._reasoning, text)

    async def rest(self) -> list[Delta]:
        """Take back what is not in the log yet, for the transaction that records the step. Waits for a flush."""
        return await self._log.take(self._reasoning, self._blank)


class DeltaWriter:
    """Brings the streamed text of all steps in this worker to the logs of their executions."""

    def __init__(self, pool: Pool, notify: Callable[[UUID], None], interval_seconds: float) -> None:
        self._pool = pool
        self._notify = notify
        self._interval_seconds = interval_seconds
        self._logs: dict[ExecutionId, _ExecutionLog] = {}

    @asynccontextmanager
    async def stream(self, key: StepKey, started: StepAttempt) -> AsyncGenerator[DeltaStream]:
        """A stream for one attempt. What is left in it at the end is dropped: take the `rest` before."""
        log = self._logs.get(key.execution_id)
        if log is None:
            log = _ExecutionLog(self._pool, self._notify, self._interval_seconds, key.tenant_id, key.execution_id)
            self._logs[key.execution_id] = log
        log.streams += 1
        try:
            yield DeltaStream(log, key, started)
        finally:
            log.streams -= 1
            if not log.streams:
                del self._logs[key.execution_id]
                await log.close()
