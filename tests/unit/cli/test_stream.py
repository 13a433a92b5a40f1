"""The event stream reaches the reader whole, whatever happens to its connections."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from baton.client.errors import Refused, Unreachable
from baton.client.http import Client
from baton.client.server import Server
from baton.client.stream import follow
from baton.domain.states import TaskState
from tests.support.fake_baton import KEY, FakeBaton
from tests.support.plans import plan


async def _seqs(client: Client, execution_id: str, after: int = 0) -> list[int]:
    return [entry.event.seq async for entry in follow(client, execution_id, after=after, pause_seconds=0.01)]


async def test_every_event_once_when_every_connection_breaks(fake: FakeBaton) -> None:
    execution = fake.begin(plan("!say one\n!say two\n!say three", ("!results", [1])))
    fake.cut_after = set(range(1, 40))
    async with Client(Server(fake.url, KEY)) as client:
        seqs = await _seqs(client, execution.id)
    assert seqs == list(range(1, len(execution.events) + 1))
    assert fake.streams_opened == [str(seq) for seq in range(len(execution.events) + 1)]


async def test_repeated_events_are_dropped(fake: FakeBaton) -> None:
    fake.repeat = True
    execution = fake.begin(plan("!say one"))
    async with Client(Server(fake.url, KEY)) as client:
        assert await _seqs(client, execution.id) == list(range(1, len(execution.events) + 1))


async def test_it_begins_where_it_is_told(fake: FakeBaton) -> None:
    execution = fake.begin(plan("!say one"))
    async with Client(Server(fake.url, KEY)) as client:
        assert (await _seqs(client, execution.id, after=3))[0] == 4


async def test_it_survives_a_server_that_goes_and_comes_back(fake: FakeBaton) -> None:
    execution = fake.begin(plan("!ask Go on?"))
    heard: list[bool] = []
    async with Client(Server(fake.url, KEY)) as client:
        entries = follow(
            client, execution.id, pause_seconds=0.01, on_connection=lambda trouble: heard.append(trouble is None)
        )
        seqs: list[int] = []
        async for entry in entries:
            seqs.append(entry.event.seq)
            if entry.event.task_state is TaskState.WAITING:
                await fake.stop()
                await fake.start()
                task = execution.task(1)
                await fake.accept(task, "yes", [task.questions[0]["id"]])
    assert seqs == list(range(1, len(execution.events) + 1))
    assert heard == [False, True]


async def test_it_gives_up_on_a_server_that_stays_away(fake: FakeBaton) -> None:
    execution = fake.begin(plan("!ask Go on?"))
    async with Client(Server(fake.url, KEY)) as client:
        events = follow(client, execution.id, pause_seconds=0.01, give_up_seconds=0.2)
        await anext(events)
        await fake.stop()
        with pytest.raises(Unreachable, match="no Baton at"):
            await asyncio.wait_for(_drained(events), 10)
        await events.aclose()
    await fake.start()


async def _drained(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


async def test_what_the_server_refuses_is_not_tried_again(fake: FakeBaton) -> None:
    async with Client(Server(fake.url, KEY)) as client:
        with pytest.raises(Refused, match="no such execution"):
            await _seqs(client, "00000000-0000-0000-0000-000000000000")
    async with Client(Server(fake.url, "wrong")) as client:
        with pytest.raises(Refused, match="--key"):
            await _seqs(client, "00000000-0000-0000-0000-000000000000")
