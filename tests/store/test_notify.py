"""Hints: coalesced, sent after what they hint at, and heard again after a lost connection."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest

from baton.store.notify import EVENTS, INTERRUPTS, Listener, Notifier

_ALL_BUT_ME = "datname = current_database() AND pid <> pg_backend_pid()"


class Ear:
    """What a listener has heard."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.missed = 0

    def heard(self, item: str) -> None:
        self.items.append(item)

    def missed_some(self) -> None:
        self.missed += 1


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that this process will notice."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(dsn: str, channel: str = EVENTS) -> AsyncGenerator[Ear]:
    """An ear on a channel, from when it hears."""
    ear = Ear()
    listener = Listener(dsn, channel, ear.heard, ear.missed_some)
    listener.start()
    try:
        await until(lambda: ear.missed == 1)
        yield ear
    finally:
        await listener.close()


@asynccontextmanager
async def notifying(dsn: str) -> AsyncGenerator[Notifier]:
    """A notifier at work."""
    notifier = Notifier(dsn)
    notifier.start()
    try:
        yield notifier
    finally:
        await notifier.close()


@pytest.fixture
async def operator(database_url: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    """Somebody who may do what they like to the server."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def backends(operator: "asyncpg.Connection[asyncpg.Record]", query: str) -> list[int]:
    """The server processes whose last statement is like ``query``; there is at least one."""
    async with asyncio.timeout(20):
        while True:
            rows = await operator.fetch(
                f"SELECT pid FROM pg_stat_activity WHERE {_ALL_BUT_ME} AND query LIKE $1", query
            )
            if rows:
                return [row["pid"] for row in rows]
            await asyncio.sleep(0.01)


async def test_each_channel_has_its_own(database_url: str) -> None:
    one, task = uuid4(), uuid4()
    async with (
        listening(database_url) as events,
        listening(database_url, INTERRUPTS) as interrupts,
        notifying(database_url) as notifier,
    ):
        notifier.events(one)
        notifier.interrupt(task, 3)
        await until(lambda: bool(events.items and interrupts.items))
    assert (events.items, interrupts.items) == ([str(one)], [f"{task}/3"])


async def test_what_comes_together_is_one_notification(database_url: str) -> None:
    sent: list[str] = []
    executions = [uuid4() for _ in range(200)]
    connection = await asyncpg.connect(database_url)

    def heard(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        sent.append(str(payload))

    await connection.add_listener(EVENTS, heard)
    async with notifying(database_url) as notifier:
        for _ in range(50):
            for execution in executions:
                notifier.events(execution)
        await until(lambda: {item for payload in sent for item in payload.split()} == set(map(str, executions)))
    await connection.close()
    assert len(sent) == 1


async def test_a_payload_is_never_too_long(database_url: str) -> None:
    executions = [uuid4() for _ in range(1000)]
    async with listening(database_url) as ear, notifying(database_url) as notifier:
        for execution in executions:
            notifier.events(execution)
        await until(lambda: len(ear.items) == 1000)
    assert set(ear.items) == set(map(str, executions))


async def test_a_hint_that_comes_while_the_same_is_on_its_way_is_sent_again(
    database_url: str, operator: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """The first may be read before the second commit is there: whoever looked then would not look again."""
    execution = uuid4()
    async with listening(database_url) as ear, notifying(database_url) as notifier:
        notifier.events(execution)
        await until(lambda: len(ear.items) == 1)
        (pid,) = await backends(operator, "%pg_notify%")
        os.kill(pid, signal.SIGSTOP)
        try:
            notifier.events(execution)
            for _ in range(50):  # it is on its way now, and cannot arrive
                await asyncio.sleep(0)
            notifier.events(execution)
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: len(ear.items) >= 2)
        marker = UUID(int=0)
        notifier.events(marker)
        await until(lambda: str(marker) in ear.items)
    assert ear.items.count(str(execution)) == 3


async def test_a_listener_listens_again(database_url: str, operator: "asyncpg.Connection[asyncpg.Record]") -> None:
    async with listening(database_url) as ear, notifying(database_url) as notifier:
        for lost in (1, 2):
            (pid,) = await backends(operator, "LISTEN%")
            await operator.execute("SELECT pg_terminate_backend($1)", pid)
            await until(lambda lost=lost: ear.missed == lost + 1)
            notifier.events(uuid4())
            await until(lambda lost=lost: len(ear.items) == lost)


async def test_a_notifier_goes_on_with_what_it_could_not_send(
    database_url: str, operator: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with listening(database_url) as ear, notifying(database_url) as notifier:
        notifier.events(uuid4())
        await until(lambda: len(ear.items) == 1)
        (pid,) = await backends(operator, "%pg_notify%")
        os.kill(pid, signal.SIGSTOP)
        try:
            await operator.execute("SELECT pg_terminate_backend($1)", pid)
            unsent = uuid4()
            notifier.events(unsent)
            for _ in range(50):  # it is on its way now, to a server process that ends before it reads on
                await asyncio.sleep(0)
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: str(unsent) in ear.items)


async def test_neither_minds_that_the_database_is_not_there_yet(database_url: str) -> None:
    """Both start before it does, or outlive it."""
    nowhere = database_url.replace("host=", "host=/nonexistent")
    notifier, ear = Notifier(nowhere), Ear()
    listener = Listener(nowhere, EVENTS, ear.heard, ear.missed_some)
    notifier.start()
    listener.start()
    notifier.events(uuid4())
    await asyncio.sleep(0)
    await notifier.close()
    await listener.close()
    assert (ear.items, ear.missed) == ([], 0)
