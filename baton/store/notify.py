"""NOTIFY as a hint, LISTEN as its ear.

A NOTIFY inside a writing transaction takes a lock that all committing transactions share, so hints are sent from one
connection of their own, after the commit, as one statement for all that came together. A hint may be lost (a process
dies between commit and hint): whoever listens also looks now and then.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import asyncpg

from baton.domain.errors import Unavailable
from baton.runtime.loop import Loop
from baton.store.connecting import AWAY

EVENTS: Final = "baton_events"  #: payload: uuids of executions whose logs have grown, separated by spaces
INTERRUPTS: Final = "baton_interrupts"  #: payload: `task/turn` pairs that are to stop, separated by spaces

_PAYLOAD_BYTES: Final = 7900  # PostgreSQL takes less than 8000
#: Whatever the server says, and however a connection was lost, hints go on once all is well again.
_TROUBLE: Final = (*AWAY, asyncpg.PostgresError, asyncpg.InterfaceError)
#: How soon after a failure it is tried again.
_RETRY_SECONDS: Final = 0.2
_log = logging.getLogger(__name__)


class Notifier:
    """Sends hints, coalesced: what comes while one is on its way goes with the next. Never raises, never waits."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pending: dict[str, set[str]] = {EVENTS: set(), INTERRUPTS: set()}
        self._connection: asyncpg.Connection[Any] | None = None
        self._loop = Loop("notifier", None, self._send_all, retry_seconds=_RETRY_SECONDS, at_once=True)

    def start(self) -> None:
        """Connect, and begin to send. Needs a running loop."""
        self._loop.start()

    async def close(self) -> None:
        """Stop sending; hints not yet sent are dropped."""
        await self._loop.close()
        self._hang_up()

    def events(self, execution_id: UUID) -> None:
        """Hint that an execution's log has grown."""
        self._add(EVENTS, str(execution_id))

    def interrupt(self, task_id: UUID, turn: int) -> None:
        """Hint that a turn is to stop."""
        self._add(INTERRUPTS, f"{task_id}/{turn}")

    def _add(self, channel: str, item: str) -> None:
        self._pending[channel].add(item)
        self._loop.wake()

    async def _send_all(self) -> None:
        """Send what is pending, over the connection that is kept. Raises `Unavailable`, and begins a new one then."""
        try:
            if self._connection is None:
                self._connection = await asyncpg.connect(self._dsn, timeout=5)
            for channel, items in self._pending.items():
                while items:
                    await self._send(self._connection, channel, items)
        except _TROUBLE as error:
            self._hang_up()
            raise Unavailable("the database cannot be reached") from error

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _send(self, connection: "asyncpg.Connection[Any]", channel: str, items: set[str]) -> None:
        # Taken out before it is sent: what is added meanwhile hints at a later commit, and has to be sent again.
        batch = _payload(items)
        items.difference_update(batch)
        try:
            await connection.execute("SELECT pg_notify($1, $2)", channel, " ".join(batch), timeout=5)
        except BaseException:
            items.update(batch)
            raise


def _payload(items: set[str]) -> list[str]:
    batch: list[str] = []
    size = 0
    for item in items:
        size += len(item) + 1
        if size > _PAYLOAD_BYTES:
            break
        batch.append(item)
    return batch


class Listener:
    """Listens on one channel, and goes on listening when the connection was lost.

    ``heard`` is called in the event loop with each item of a payload; ``missed`` after every (re)connection, when
    hints may have been lost: look at everything then.
    """

    def __init__(
        self, dsn: str, channel: str, heard: Callable[[str], None], missed: Callable[[], None] = lambda: None
    ) -> None:
        self._dsn = dsn
        self._channel = channel
        self._heard = heard
        self._missed = missed
        self._loop = Loop(f"listener on {channel}", _RETRY_SECONDS, self._listen, at_once=True)

    def start(self) -> None:
        """Begin to listen. Needs a running loop."""
        self._loop.start()

    async def close(self) -> None:
        """Stop listening."""
        await self._loop.close()

    async def _listen(self) -> None:
        """Listen for as long as a connection lasts. Raises `Unavailable` where it does not come to that."""
        connection: asyncpg.Connection[Any] | None = None
        listening = False
        try:
            connection = await asyncpg.connect(self._dsn, timeout=5)
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, self._on_notify)
            listening = True
            self._missed()
            await _until_lost(connection, lost)
        except _TROUBLE as error:
            if not listening:
                raise Unavailable("the database cannot be reached") from error
        finally:
            if connection is not None:
                connection.terminate()
        _log.warning("listener on %s: connection lost, reconnecting", self._channel)

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for item in str(payload).split():
            self._heard(item)


async def _until_lost(connection: "asyncpg.Connection[Any]", lost: asyncio.Event) -> None:
    while not lost.is_set():
        try:
            async with asyncio.timeout(15):
                await lost.wait()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=5)  # a dead peer says nothing by itself
