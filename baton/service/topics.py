"""A followed log: the newest events, and who waits for more."""

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final
from weakref import WeakValueDictionary

import orjson

from baton.domain.events import Event
from baton.domain.ids import ExecutionId
from baton.domain.states import ExecutionState
from baton.store.feed import Known, LogPage

#: What a topic remembers at most; who is further behind reads pages from PostgreSQL.
_EVENTS: Final = 512
_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Sending:
    """What somebody makes of an event and is sending: others who come to the same one send the same bytes."""

    data: bytes


class Topic:
    """The newest events of one log, shared by all who follow it in this process.

    It remembers the events from ``_base`` (exclusive) up to ``_last``. ``head`` and ``state`` are the log's as of the
    last read. ``gone``: the execution was deleted.
    """

    def __init__(self, known: Known, state: ExecutionState) -> None:
        self.tenant_id = known.tenant_id
        self.execution_id: ExecutionId = known.execution_id
        self._base = known.seq
        self._last = known.seq
        self.head = known.seq
        self.state = state
        self.readers = 0
        self.gone = False
        #: What readers have made of events, for other readers of the same; forgotten with the topic.
        self.made: dict[tuple[str, int], bytes] = {}
        self.sending: WeakValueDictionary[tuple[str, int], Sending] = WeakValueDictionary()
        #: The last event that was completed with what the execution waited for, and who may look for another.
        self.waited: Event | None = None
        self.looking_up = asyncio.Lock()
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._waiting: dict[object, asyncio.Future[bool]] = {}
        self._reads_begun = 0
        self._read_done = 0

    @property
    def has_more(self) -> bool:
        """Whether the log was longer than what the last read gave."""
        return not self.gone and self._last < self.head

    def known(self, seq: int | None = None) -> Known:
        """What to read next; after ``seq`` where that is given."""
        return Known(self.tenant_id, self.execution_id, self._last if seq is None else seq)

    def after(self, seq: int, limit: int) -> list[Event] | None:
        """Up to ``limit`` remembered events above ``seq``; None if some of those are not remembered."""
        if seq < self._base:
            return None
        skip = seq - self._base
        return list(islice(self._events, skip, skip + limit))

    def publish(self, page: LogPage | None) -> None:
        """Take what was read, and wake who waits. None: the log is gone."""
        if page is None:
            self.gone = True
        else:
            for event in page.events:
                if event.seq > self._last:
                    self._remember(event, follows=event.seq == self._last + 1 and event.seq > page.pruned_seq)
            if page.head >= self.head:
                self.head, self.state = page.head, page.state
            self._forget()
        self._read_done = self._reads_begun
        self.wake()

    def _remember(self, event: Event, *, follows: bool) -> None:
        """An event that does not follow is not remembered, nor what was before it: readers have to be told of that."""
        self._last = event.seq
        if follows:
            self._events.append(event)
            self._bytes += _weight(event)
        else:
            self._base = event.seq
            self._events.clear()
            self._bytes = 0

    def being_read(self) -> None:
        """A read begins. Reads do not overlap; one that fails is followed by another."""
        self._reads_begun += 1

    @property
    def next_read(self) -> int:
        """The number of the next read to begin."""
        return self._reads_begun + 1

    def was_read(self, number: int) -> bool:
        """Whether that read, or a later one, has succeeded."""
        return self._read_done >= number

    async def wait(self, who: object, seconds: float) -> bool:
        """Wait to be woken, once at a time for each ``who``; False if that took longer than ``seconds``."""
        if seconds <= 0:
            return False
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(seconds, _set, woken, False)  # a timeout context costs several times as much
        self._waiting[who] = woken
        try:
            return await woken
        finally:
            timer.cancel()
            if self._waiting.get(who) is woken:
                del self._waiting[who]

    def wake(self) -> None:
        """Have everybody who waits look again."""
        waiting, self._waiting = self._waiting, {}
        for woken in waiting.values():
            _set(woken, True)

    def wake_one(self, who: object) -> None:
        """Have ``who`` look again: of thousands that go away at once, each need not wake all the others."""
        if woken := self._waiting.pop(who, None):
            _set(woken, True)

    def _forget(self) -> None:
        while len(self._events) > _EVENTS or self._bytes > _BYTES:
            event = self._events.popleft()
            self._bytes -= _weight(event)
            self._base = event.seq


def _set(woken: asyncio.Future[bool], value: bool) -> None:
    if not woken.done():
        woken.set_result(value)


def _weight(event: Event) -> int:
    """Roughly how large an event is: as JSON, and what the objects take."""
    return 500 + len(orjson.dumps(event.data))
