"""Does the feed give every event once, in order, whatever happens to hints and connections?"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from baton.domain.agents import Principal, Scope
from baton.domain.errors import CursorExpired, ExecutionNotFound, InvalidInput, Unavailable
from baton.domain.events import Event, NewEvent
from baton.domain.states import ExecutionState, TaskState
from baton.service.feed import Feed, Subscription
from baton.service.routes import Routes
from baton.service.tenants import default_agent
from baton.service.visibility import find_execution
from baton.settings import Settings
from baton.store import creation, events
from baton.store.creation import NewExecution, NewTask
from baton.store.notify import EVENTS
from baton.store.pool import Pool, open_pool
from tests.support.events import delta, ended


class Log:
    """A feed, and an execution whose log grows as a test says."""

    def __init__(self, pool: Pool, feed: Feed, who: Principal, agent_id: UUID) -> None:
        self.pool = pool
        self.routes = Routes(pool)
        self.feed = feed
        self.who = who
        self.agent_id = agent_id
        self.execution = uuid4()
        self.task = uuid4()

    async def create(self) -> None:
        """Make the execution: two events."""
        new = NewExecution(
            tenant_id=self.who.tenant_id,
            id=self.execution,
            in_plan=False,
            agent_id=self.agent_id,
            title="t",
            queue="q",
            tasks=(NewTask(self.task, 1, "t", "d"),),
        )
        async with self.pool.connection() as connection:
            await creation.create(connection, new, ring_seconds=60)

    async def append(self, count: int = 1, state: ExecutionState | None = None, *, hint: bool = True) -> int:
        """Append events, the last with the execution's state."""
        new = [NewEvent(delta(), self.task) for _ in range(count)]
        if state is not None:
            new[-1] = NewEvent(ended(), self.task, TaskState(state))
        async with self.pool.transaction() as connection:
            last = await events.append(
                connection, self.who.tenant_id, self.execution, new, positions={self.task: 1}, state=state
            )
        if hint:
            async with self.pool.connection() as connection:
                await connection.execute("SELECT pg_notify($1, $2)", EVENTS, str(self.execution))
        return last

    async def head(self) -> int:
        """The number of the last event."""
        async with self.pool.connection() as connection:
            found = await events.head(connection, self.who.tenant_id, self.execution)
        assert found is not None
        return found.head

    async def subscribe(self, after: int = 0, task: bool = False) -> Subscription:
        """Follow the log."""
        seen = await find_execution(self, self.who, self.execution)
        return await self.feed.subscribe(seen, after, task_id=self.task if task else None)


async def rest(subscription: Subscription, seconds: float = 20) -> list[Event]:
    """All events until the end."""
    seen: list[Event] = []
    async with asyncio.timeout(seconds):
        while (batch := await subscription.read(seconds)) is not None:
            seen += batch
    subscription.close()
    return seen


def numbers(seen: list[Event]) -> list[int]:
    """The events' numbers."""
    return [event.seq for event in seen]


@pytest.fixture
async def pool(database_url: str) -> AsyncGenerator[Pool]:
    """A pool, as the API has one."""
    pool = await open_pool(database_url, min_size=1, max_size=8)
    yield pool
    await pool.close()


@pytest.fixture
def poll_seconds() -> float:
    """How often the feed looks without a hint: never, where a test is about hints."""
    return 3600.0


@pytest.fixture
async def log(database_url: str, pool: Pool, poll_seconds: float) -> AsyncGenerator[Log]:
    """A running feed and a fresh execution."""
    settings = Settings(database_url=SecretStr(database_url), feed_poll_seconds=poll_seconds)
    feed = Feed(pool, settings)
    feed.start()
    agent = await default_agent(pool, "acme")
    who = Principal(agent.tenant_id, "acme", "tester", "key", frozenset({Scope.ADMIN}))
    made = Log(pool, feed, who, agent.id)
    await made.create()
    async with asyncio.timeout(10):
        while not await _listening(pool):
            await asyncio.sleep(0.02)
    yield made
    await feed.close()


async def _listening(pool: Pool) -> list[int]:
    async with pool.connection() as connection:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    return [row["pid"] for row in rows]


async def test_from_every_place_to_the_end(log: Log) -> None:
    await log.append(9)
    head = await log.append(1, ExecutionState.SUCCEEDED)
    for after in range(head + 1):
        subscription = await log.subscribe(after)
        assert numbers(await rest(subscription)) == list(range(after + 1, head + 1))
        assert subscription.ended is ExecutionState.SUCCEEDED


async def test_no_gap_while_many_write(log: Log) -> None:
    readers = [asyncio.create_task(rest(await log.subscribe(), 60)) for _ in range(8)]
    late: list[asyncio.Task[list[Event]]] = []

    async def write(count: int) -> None:
        for n in range(count):
            await log.append(n % 3 + 1)

    async def join() -> None:
        for after in (0, 3, 20):
            while await log.head() < after:
                await asyncio.sleep(0.01)
            late.append(asyncio.create_task(rest(await log.subscribe(after), 60)))
            await asyncio.sleep(0.05)

    await asyncio.gather(*(write(25) for _ in range(4)), join())
    head = await log.append(1, ExecutionState.FAILED)
    for seen in await asyncio.gather(*readers):
        assert numbers(seen) == list(range(1, head + 1))
    for after, seen in zip((0, 3, 20), await asyncio.gather(*late), strict=True):
        assert numbers(seen) == list(range(after + 1, head + 1))


async def test_events_come_with_their_hint(log: Log) -> None:
    subscription = await log.subscribe(2)
    assert await subscription.read(0.05) == []
    for n in range(3, 30):
        reading = asyncio.create_task(subscription.read(10))
        await asyncio.sleep(0)
        await log.append()
        assert numbers(await reading or []) == [n]
    subscription.close()


@pytest.mark.parametrize("poll_seconds", [0.1])
async def test_a_lost_hint_costs_a_moment_only(log: Log) -> None:
    subscription = await log.subscribe(2)
    assert await subscription.read(0.05) == []
    await log.append(5, hint=False)
    assert numbers(await subscription.read(10) or []) == [3, 4, 5, 6, 7]
    subscription.close()


async def test_what_was_committed_while_subscribing_is_not_missed(log: Log) -> None:
    for _ in range(30):
        subscribing = asyncio.create_task(log.subscribe(0))
        appending = asyncio.create_task(log.append())
        subscription, last = await subscribing, await appending
        seen: list[int] = []
        while not seen or seen[-1] < last:
            batch = await subscription.read(5)
            assert batch, f"event {last} was missed after {seen}"
            seen += numbers(batch)
        assert seen == list(range(1, last + 1))
        subscription.close()


async def test_the_connection_that_listens_may_die(log: Log) -> None:
    subscription = await log.subscribe(2)
    assert await subscription.read(0.05) == []
    for round_ in range(3):
        (pid,) = await _listening(log.pool)
        async with log.pool.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend($1)", pid)
        await log.append(hint=False)  # while nobody listens
        assert numbers(await subscription.read(15) or []) == [3 + 2 * round_]
        async with asyncio.timeout(15):
            while len(await _listening(log.pool)) != 1:
                await asyncio.sleep(0.05)
        await log.append()
        assert numbers(await subscription.read(15) or []) == [4 + 2 * round_]
    subscription.close()


async def test_every_connection_may_die(log: Log) -> None:
    reading = asyncio.create_task(rest(await log.subscribe(), 60))
    for _ in range(5):
        with contextlib.suppress(Unavailable):
            async with log.pool.connection() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        await _append_somehow(log, 3)
    last = await _append_somehow(log, 1, ExecutionState.SUCCEEDED)
    assert numbers(await reading) == list(range(1, last + 1))


async def _append_somehow(log: Log, count: int, state: ExecutionState | None = None) -> int:
    """Append, again where a connection of ours was dead."""
    while True:
        try:
            return await log.append(count, state)
        except Unavailable:
            await asyncio.sleep(0.05)


async def test_who_is_far_behind_reads_pages(log: Log) -> None:
    slow, fast = await log.subscribe(), asyncio.create_task(rest(await log.subscribe(), 60))
    for _ in range(12):
        await log.append(200)
    head = await log.append(1, ExecutionState.SUCCEEDED)
    assert numbers(await fast) == list(range(1, head + 1))
    assert len(log.feed._topics[log.execution]._events) <= 512  # pyright: ignore[reportPrivateUsage]
    seen = await rest(slow)
    assert numbers(seen) == list(range(1, head + 1))
    assert log.feed._topics == {}  # pyright: ignore[reportPrivateUsage]


async def test_the_end_is_only_at_the_head(log: Log) -> None:
    await log.append(1, ExecutionState.SUCCEEDED)
    await log.append(1, ExecutionState.RUNNING, hint=False)
    subscription = await log.subscribe()
    assert numbers(await subscription.read(5) or []) == [1, 2, 3, 4]
    assert await subscription.read(0.3) == []  # not the end: it was reopened
    await log.append(1, ExecutionState.FAILED)
    assert numbers(await subscription.read(5) or []) == [5]
    assert await subscription.read(5) is None
    assert subscription.ended is ExecutionState.FAILED
    subscription.close()


async def test_reopened_in_the_instant_of_the_end(log: Log) -> None:
    """The row is asked once more before a stream ends: what was committed by then is still given."""
    for _ in range(20):
        over = await log.append(1, ExecutionState.SUCCEEDED)
        subscription = await log.subscribe(over)
        ending = asyncio.create_task(subscription.read(5))
        reopening = asyncio.create_task(log.append(1, ExecutionState.RUNNING))
        seen = await ending
        assert seen is None or numbers(seen) == [over + 1]
        await reopening
        subscription.close()


async def test_a_tasks_end_is_an_end_where_it_was_asked_for(log: Log) -> None:
    subscription = await log.subscribe(0, task=True)
    assert len(await subscription.read(5) or []) == 2
    async with log.pool.transaction() as connection:
        await events.append(
            connection,
            log.who.tenant_id,
            log.execution,
            [NewEvent(ended(), log.task, TaskState.SUCCEEDED)],
            positions={log.task: 1},
        )
    log.feed.mark(log.execution)
    assert len(await subscription.read(5) or []) == 1
    assert await subscription.read(5) is None
    assert (subscription.task_state, subscription.ended) == (TaskState.SUCCEEDED, ExecutionState.RUNNING)
    subscription.close()


async def test_what_cannot_be_followed(log: Log) -> None:
    stranger = Principal(uuid4(), "other", "s", "k", frozenset({Scope.ADMIN}))
    with pytest.raises(ExecutionNotFound):
        await find_execution(log, stranger, log.execution)
    with pytest.raises(ExecutionNotFound):
        await find_execution(log, log.who, uuid4())
    seen = await find_execution(log, log.who, log.execution)
    with pytest.raises(ExecutionNotFound):
        await log.feed.subscribe(seen, 0, task_id=uuid4())
    gone = replace(seen, route=replace(seen.route, execution_id=uuid4()))
    with pytest.raises(ExecutionNotFound):
        await log.feed.subscribe(gone, 0)
    with pytest.raises(InvalidInput):
        await log.subscribe(3)
    async with log.pool.connection() as connection:
        await connection.execute("DELETE FROM events WHERE seq = 1")
    with pytest.raises(CursorExpired) as expired:
        await log.subscribe(0)
    assert expired.value.oldest == 2
    assert log.feed._topics == {}  # pyright: ignore[reportPrivateUsage]


async def test_closing_wakes_who_reads(log: Log) -> None:
    subscription = await log.subscribe(2)
    reading = asyncio.create_task(subscription.read(60))
    await asyncio.sleep(0.05)
    subscription.close()
    subscription.close()
    assert await asyncio.wait_for(reading, 5) is None
    assert subscription.ended is None
    other = await log.subscribe(2)
    reading = asyncio.create_task(other.read(60))
    await asyncio.sleep(0.05)
    log.feed.stop()
    assert await asyncio.wait_for(reading, 5) is None
    other.close()
    assert log.feed._topics == {}  # pyright: ignore[reportPrivateUsage]


async def test_an_execution_that_is_deleted_ends_without_an_end(log: Log) -> None:
    subscription = await log.subscribe(2)
    reading = asyncio.create_task(subscription.read(30))
    async with log.pool.connection() as connection:
        await connection.execute("DELETE FROM executions WHERE id = $1", log.execution)
    log.feed.mark(log.execution)
    assert await asyncio.wait_for(reading, 10) is None
    assert subscription.ended is None
    subscription.close()


async def test_hints_that_make_no_sense_do_no_harm(log: Log) -> None:
    subscription = await log.subscribe(2)
    async with log.pool.connection() as connection:
        await connection.execute("SELECT pg_notify($1, $2)", EVENTS, f"nonsense {uuid4()}")
    await log.append()
    assert numbers(await subscription.read(10) or []) == [3]
    subscription.close()
