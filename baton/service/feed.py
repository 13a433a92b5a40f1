"""The live end of the event log: who follows an execution hears of its events as they are committed.

One LISTEN and one reader per process. A hint marks a log; the reader reads all marked logs in one statement and wakes
those who follow them. Hints may be lost: every now and then the heads of all followed logs are compared, too.
"""

import asyncio
import logging
import time
from collections.abc import Collection
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from baton.domain.errors import CursorExpired, ExecutionNotFound, InvalidInput, Unavailable
from baton.domain.events import Event
from baton.domain.ids import ExecutionId, TaskId
from baton.domain.states import ExecutionState, TaskState
from baton.runtime.loop import Loop
from baton.service.topics import Sending, Topic
from baton.service.visibility import SeenExecution
from baton.service.waiting import has_more, with_waiting
from baton.settings import Settings
from baton.store import feed
from baton.store.feed import Known
from baton.store.notify import EVENTS, Listener
from baton.store.pool import Pool

#: The states at which the log of a followed task ends, where its reader names no others.
OVER: Final = frozenset(state for state in TaskState if state.is_over)
#: Events read of one log at once, live or by who is behind: so many, and so many bytes of them.
_PAGE: Final = 200
_PAGE_BYTES: Final = 1024 * 1024
#: Of how many logs at once, and by how many who are behind.
_LOGS_AT_ONCE: Final = 32
_BEHIND_AT_ONCE: Final = 4
_RETRY_SECONDS: Final = 0.2
#: How often a reader that waits for a read looks whether it still has to.
_SURE_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class Feed:
    """All followed logs of a process. `start` needs a running loop."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._topics: dict[UUID, Topic] = {}
        self._marked: set[UUID] = set()
        self._stopped = False
        self._behind = asyncio.Semaphore(_BEHIND_AT_ONCE)
        self._reader = Loop("feed reader", None, self._read, retry_seconds=_RETRY_SECONDS)
        self._poll = Loop("feed poll", settings.feed_poll_seconds, self._compare, retry_seconds=_RETRY_SECONDS)
        self._listener = Listener(settings.dsn, EVENTS, self._heard, self._poll.wake)

    def start(self) -> None:
        """Begin to listen and to read."""
        for part in (self._listener, self._reader, self._poll):
            part.start()

    def stop(self) -> None:
        """End all subscriptions now, and those to come at once: the process is about to end."""
        self._stopped = True
        for topic in self._topics.values():
            topic.wake()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    async def close(self) -> None:
        """Stop listening and reading."""
        self.stop()
        for part in (self._listener, self._reader, self._poll):
            await part.close()

    async def subscribe(
        self,
        execution: SeenExecution,
        after: int,
        *,
        task_id: TaskId | None = None,
        ends: Collection[TaskState] = OVER,
        over_gap: bool = False,
    ) -> "Subscription":
        """Follow an execution's log from its first event with a number above ``after``. The caller closes it.

        It ends at the head of the log while the execution is over; with ``task_id``, while that task is in one of the
        states that it ``ends`` with. ``over_gap``: though events after ``after`` are missing.
        Raises `ExecutionNotFound` where it, or the task in it, is not there any more, `CursorExpired`, and
        `InvalidInput` for a cursor that the log has not reached.
        """
        tenant_id, execution_id = execution.tenant_id, execution.id
        async with self._pool.connection() as connection:
            start = await feed.start(connection, tenant_id, execution_id, task_id)
        if start is None:
            raise ExecutionNotFound("there is no such execution")
        if after > start.head:
            raise InvalidInput("the cursor is beyond the end of the log", ("header", "Last-Event-ID"))
        if after + 1 < start.whole_from and not over_gap:
            raise CursorExpired("events after this cursor are gone", start.whole_from)
        after = max(after, start.oldest - 1)
        topic = self._topics.get(execution_id)
        if topic is None:
            topic = self._topics[execution_id] = Topic(Known(tenant_id, execution_id, start.head), start.state)
            self.mark(execution_id)  # what was committed since `start` was hinted at before anybody here listened
        elif start.head > topic.head:
            self.mark(execution_id)
        topic.readers += 1
        is_over = start.state.is_over if task_id is None else start.task_state in ends
        return Subscription(
            self, topic, after, start.whole_from, task_id, (start.head, start.task_state), ends, is_over
        )

    async def with_waiting(self, topic: Topic, event: Event) -> Event:
        """See `Subscription.with_waiting`. Who asks together shares what is read."""
        async with topic.looking_up:
            if topic.waited is None or topic.waited.seq != event.seq:
                topic.waited = await self._patiently(topic, event)
            return topic.waited

    async def _patiently(self, topic: Topic, event: Event) -> Event:
        while not self._stopped:
            try:
                return await with_waiting(self._pool, topic.tenant_id, topic.execution_id, event)
            except Unavailable:
                await asyncio.sleep(_RETRY_SECONDS)
        return event

    def release(self, topic: Topic) -> None:
        """Somebody has stopped following."""
        topic.readers -= 1
        if topic.readers == 0 and self._topics.get(topic.execution_id) is topic:
            del self._topics[topic.execution_id]
            self._marked.discard(topic.execution_id)

    async def page(self, topic: Topic, after: int) -> tuple[tuple[Event, ...], int]:
        """Events that are older than what the topic remembers, and up to where the log is pruned. Waits while
        PostgreSQL is away."""
        while not self._stopped:
            try:
                async with self._behind, self._pool.connection() as connection:
                    pages = await feed.pages(connection, [topic.known(after)], limit=_PAGE, most_bytes=_PAGE_BYTES)
                if topic.execution_id not in pages:
                    topic.publish(None)
                    return (), 0
                page = pages[topic.execution_id]
                return page.events, page.pruned_seq
            except Unavailable:
                await asyncio.sleep(_RETRY_SECONDS)
        return (), 0

    def mark(self, execution_id: ExecutionId) -> None:
        """Have a followed log read soon."""
        if execution_id in self._topics:
            self._marked.add(execution_id)
            self._reader.wake()

    def _heard(self, item: str) -> None:
        try:
            self.mark(UUID(item))
        except ValueError:
            _log.warning("ignored a notification that names no execution")

    async def _read(self) -> None:
        """Read the marked logs, many in one statement."""
        chosen = list(islice(self._marked, _LOGS_AT_ONCE))
        self._marked.difference_update(chosen)
        if self._marked:
            self._reader.wake()
        topics = [self._topics[marked] for marked in chosen if marked in self._topics]
        for topic in topics:
            topic.being_read()
        try:
            async with self._pool.connection() as connection:
                pages = await feed.pages(
                    connection, [topic.known() for topic in topics], limit=_PAGE, most_bytes=_PAGE_BYTES
                )
        except BaseException:
            for topic in topics:
                self.mark(topic.execution_id)
            raise
        for topic in topics:
            topic.publish(pages.get(topic.execution_id))
            if topic.has_more:
                self.mark(topic.execution_id)

    async def _compare(self) -> None:
        """Mark the logs that have grown without a hint that reached us."""
        known = [topic.known() for topic in self._topics.values()]
        if not known:
            return
        async with self._pool.connection() as connection:
            grown = await feed.grown(connection, known)
        for execution_id in grown:
            self.mark(execution_id)


class Subscription:
    """One reader's place in a log. Holds no connection and no events: a slow reader costs no memory."""

    def __init__(
        self,
        feed: Feed,
        topic: Topic,
        after: int,
        whole_from: int,
        task_id: TaskId | None,
        task_was: tuple[int, TaskState | None],
        ends: Collection[TaskState],
        began_over: bool,
    ) -> None:
        self._feed = feed
        self._topic = topic
        self._cursor = after
        self._whole_from = whole_from
        self._gap: int | None = None
        self._task_id = task_id
        self._task_seen_at, self._task_state = task_was
        self._ends = ends
        self._began_over = began_over
        self._closed = False
        self._ended: ExecutionState | None = None
        self._last_at: datetime | None = None

    @property
    def last_at(self) -> datetime | None:
        """When the last event that was read happened; None before the first."""
        return self._last_at

    @property
    def execution_id(self) -> ExecutionId:
        """Whose log it is."""
        return self._topic.execution_id

    @property
    def made(self) -> dict[tuple[str, int], bytes]:
        """What this log's readers have made of its events, by maker and number: a place to share. Keep it small."""
        return self._topic.made

    @property
    def sending(self) -> "WeakValueDictionary[tuple[str, int], Sending]":
        """What is too large to be kept there, as long as somebody is sending it."""
        return self._topic.sending

    @property
    def began_at(self) -> int:
        """The number of the log's last event when the subscription began."""
        return self._task_seen_at

    @property
    def began_over(self) -> bool:
        """Whether what is followed was over when the subscription began."""
        return self._began_over

    @property
    def reached(self) -> int:
        """The number of the last event that was read, or of the one that the subscription began after."""
        return self._cursor

    @property
    def ended(self) -> ExecutionState | None:
        """The execution's state if the subscription came to its end at the head of the log, else None."""
        return self._ended

    def take_gap(self) -> int | None:
        """The first event from which on none is missing, if some are missing between the last read and the one before
        it that were not yet when the subscription began; None after that, and where none are."""
        gap, self._gap = self._gap, None
        return gap

    @property
    def task_state(self) -> TaskState | None:
        """The state of the task that was named, as of the last event read."""
        return self._task_state

    async def read(self, seconds: float) -> list[Event] | None:
        """The next events, in order, without gaps, as many as there are (some 200, or a megabyte, at most).

        [] if none came within ``seconds``; None at the end, and once it is closed or the feed is stopped. Who reads on
        after the end is told again, or what has come since.
        """
        deadline: float | None = None
        self._ended = None
        while self._open:
            if events := await self._next():
                self._cursor, self._last_at = events[-1].seq, events[-1].at
                self._follow_task(events)
                return events
            if self._is_over():
                await self._be_sure()
                if self._open and self._is_over():
                    self._ended = self._topic.state
                    return None
                continue
            if deadline is None:
                deadline = time.monotonic() + seconds
            elif (seconds := deadline - time.monotonic()) <= 0:
                return []
            if not await self._topic.wait(self, seconds):
                return []
        return None

    async def with_waiting(self, event: Event) -> Event:
        """An event of this log with what it leaves to others: see `baton.service.waiting`."""
        return await self._feed.with_waiting(self._topic, event) if has_more(event) else event

    def close(self) -> None:
        """Stop following; a `read` under way gives None. May be called again."""
        if not self._closed:
            self._closed = True
            self._topic.wake_one(self)
            self._feed.release(self._topic)

    @property
    def _open(self) -> bool:
        return not (self._closed or self._feed.stopped or self._topic.gone)

    async def _be_sure(self) -> None:
        """Wait until the log was read in a statement that began after this call; who asks together shares it."""
        number = self._topic.next_read
        self._feed.mark(self._topic.execution_id)
        while self._open and not self._topic.was_read(number):
            await self._topic.wait(self, _SURE_SECONDS)

    async def _next(self) -> list[Event]:
        remembered = self._topic.after(self._cursor, _PAGE)
        if remembered is not None:
            return remembered
        events, pruned_seq = await self._feed.page(self._topic, self._cursor)
        expected, whole_from = self._cursor + 1, max(self._whole_from, pruned_seq + 1)
        for event in events:
            if event.seq != expected:
                whole_from = max(whole_from, event.seq)
            expected = event.seq + 1
        if whole_from > max(self._whole_from, self._cursor + 1):
            self._gap = whole_from
        self._whole_from = whole_from
        return list(events)

    def _follow_task(self, events: list[Event]) -> None:
        if self._task_id is None:
            return
        for event in events:
            if event.seq > self._task_seen_at and event.task_id == self._task_id and event.task_state is not None:
                self._task_state = event.task_state

    def _is_over(self) -> bool:
        if self._cursor != self._topic.head:
            return False
        if self._task_id is None:
            return self._topic.state.is_over
        return self._cursor >= self._task_seen_at and self._task_state in self._ends
