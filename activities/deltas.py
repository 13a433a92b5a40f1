"""Streamed text on its way to the log: the first piece at once, then coalesced in time.

One statement per execution and flush carries the text of all its steps in this worker: an execution's row takes a few
hundred commits a second, no more.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from baton.domain.errors import NotFound, Unavailable
from baton.domain.faults import whereabouts
from baton.domain.ids import ExecutionId, StepKey, TenantId
from baton.store import steps
from baton.store.pool import Pool
from baton.store.steps import Delta, Started

_log = logging.getLogger(__name__)


class _ExecutionLog:
    """The text of one execution that is not in its log yet, and the task that brings it there."""

    def __init__(self, tenant_id: TenantId, execution_id: ExecutionId) -> None:
        self.tenant_id = tenant_id
        self.execution_id = execution_id
        self.streams = 0
        #: pieces of text, by the delta (without text) that they will be
        self.pending: dict[Delta, list[str]] = {}
        self.written = asyncio.Event()
        self.flushing = asyncio.Lock()
        self.flusher: asyncio.Task[None] | None = None

    def add(self, blank: Delta, text: str) -> None:
        self.pending.setdefault(blank, []).append(text)
        self.written.set()

    def put_back(self, batch: dict[Delta, list[str]]) -> None:
        for blank, pieces in self.pending.items():
            batch.setdefault(blank, []).extend(pieces)
        self.pending = batch
        self.written.set()


def _deltas(pending: dict[Delta, list[str]]) -> list[Delta]:
    return [replace(blank, text="".join(pieces)) for blank, pieces in pending.items()]


class DeltaStream:
    """What one attempt of a step streams."""

    def __init__(self, log: _ExecutionLog, key: StepKey, started: Started) -> None:
        self._log = log
        self._blank = Delta(key.task_id, started.position, key.turn, key.step, started.attempt, "")

    def write(self, text: str) -> None:
        """Add a piece of text. Never waits."""
        self._log.add(self._blank, text)

    async def rest(self) -> list[Delta]:
        """Take back what is not in the log yet, for the transaction that records the step. Waits for a flush."""
        async with self._log.flushing:
            pieces = self._log.pending.pop(self._blank, None)
            return _deltas({self._blank: pieces}) if pieces else []


class DeltaWriter:
    """Brings the streamed text of all steps in this worker to the logs of their executions."""

    def __init__(self, pool: Pool, notify: Callable[[UUID], None], interval_seconds: float) -> None:
        self._pool = pool
        self._notify = notify
        self._interval_seconds = interval_seconds
        self._logs: dict[ExecutionId, _ExecutionLog] = {}

    @asynccontextmanager
    async def stream(self, key: StepKey, started: Started) -> AsyncGenerator[DeltaStream]:
        """A stream for one attempt. What is left in it at the end is dropped: take the `rest` before."""
        log = self._logs.setdefault(key.execution_id, _ExecutionLog(key.tenant_id, key.execution_id))
        log.streams += 1
        if log.flusher is None:
            log.flusher = asyncio.create_task(self._flush_always(log), name="deltas")
        stream = DeltaStream(log, key, started)
        try:
            yield stream
        finally:
            log.streams -= 1
            if not log.streams:
                self._logs.pop(key.execution_id, None)
                log.flusher.cancel()

    async def _flush_always(self, log: _ExecutionLog) -> None:
        while True:
            await log.written.wait()
            log.written.clear()
            await asyncio.shield(self._flush(log))
            await asyncio.sleep(self._interval_seconds)

    async def _flush(self, log: _ExecutionLog) -> None:
        async with log.flushing:
            batch, log.pending = log.pending, {}
            if not batch:
                return
            try:
                async with self._pool.connection() as connection:
                    await steps.append_deltas(connection, log.tenant_id, log.execution_id, _deltas(batch))
            except Unavailable:
                # May or may not be committed; the step that streams it will meet the same database and be retried.
                _log.warning("streamed text waits: the database cannot be reached")
                log.put_back(batch)
            except NotFound:
                _log.warning("streamed text dropped: execution %s is gone", log.execution_id)
            except Exception as error:  # noqa: BLE001 - the step's record holds the whole text: the stream goes on
                _log.error("streamed text dropped: %s", whereabouts(error))
        self._notify(log.execution_id)
