"""Sends that are under way at once: one commit, and what becomes of one is nothing to the others."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from baton.domain.errors import AnswerRefused, DomainError, KeyReused, TaskBusy, TaskNotFound, Unavailable
from baton.domain.ids import TaskRoute
from baton.domain.messages import Receipt
from baton.domain.states import SendMode, TaskState
from baton.service.sends import Sends
from baton.store.pool import spending
from tests.store.races import outcome_of
from tests.store.test_races import check_claims, work_off
from tests.store.world import World, opened_pool, question
from tests.support.metrics import sample

_T = TypeVar("_T")


def sends_of(world: World, *, wait_seconds: float = 30) -> Sends:
    return Sends(world.pool, relay_seconds=60, wait_seconds=wait_seconds)


@asynccontextmanager
async def held(world: World, route: TaskRoute) -> AsyncGenerator[None]:
    """Somebody is at work on the task's execution."""
    async with world.pool.transaction(route.execution_id) as connection:
        await connection.execute(
            "SELECT 1 FROM executions WHERE tenant_id = $1 AND id = $2 FOR UPDATE", route.tenant_id, route.execution_id
        )
        yield


@asynccontextmanager
async def stalled(world: World) -> AsyncGenerator[None]:
    """PostgreSQL stores no message."""
    async with world.pool.transaction() as connection:
        await connection.execute("LOCK TABLE messages IN SHARE MODE")
        yield


async def gathered(
    world: World, sends: Sends, works: Sequence[Awaitable[_T]]
) -> "list[asyncio.Task[_T | DomainError]]":
    """Sends of one group: one that comes before them is under way, and is held up until all of them have come."""
    first = await world.task()
    async with stalled(world):
        before = asyncio.create_task(world.send_together(sends, first))
        await world.blocked(1)
        tasks = [asyncio.create_task(outcome_of(work)) for work in works]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await before
    return tasks


async def commits(world: World, routes: list[TaskRoute]) -> int:
    """How many transactions have stored the tasks' messages."""
    (row,) = await world.rows(
        "SELECT count(DISTINCT xmin::text) AS commits FROM messages WHERE tenant_id = $1 AND task_id = ANY ($2)",
        [route.task_id for route in routes],
    )
    return row["commits"]


async def test_what_comes_while_others_commit_goes_together(world: World) -> None:
    sends = sends_of(world)
    routes = [await world.task() for _ in range(20)]
    tasks = await gathered(world, sends, [world.send_together(sends, route) for route in routes])
    receipts = await asyncio.gather(*tasks)
    assert await commits(world, routes) == 1
    for route, receipt in zip(routes, receipts, strict=True):
        assert isinstance(receipt, Receipt)
        (message,) = await world.messages(route)
        assert (message["id"], message["seq"], receipt.seq) == (receipt.message_id, 1, 1)
        assert (await world.log(route))[-1].seq == receipt.event_seq


async def test_each_gets_what_it_would_get_alone(world: World) -> None:
    """One refused, one repeated, one with a key used for something else, one that answers wrongly, one to no task, one
    that PostgreSQL itself refuses, and those that nothing is wrong with."""
    sends = sends_of(world)
    good, busy, repeated, ruled, gone = [[await world.task() for _ in range(2)] for _ in range(5)]
    firsts = [await world.send(route, idempotency_key="k") for route in repeated]
    for route in ruled:
        await world.start(route, 1)
        await world.record(route, 1, asks=[question("q", {"type": "integer"})])
    no_task = replace(gone[0], task_id=uuid4())
    works = [
        world.send_together(sends, good[0]),
        world.send_together(sends, busy[0], mode=SendMode.REJECT),
        world.send_together(sends, repeated[0], idempotency_key="k"),
        world.send_together(sends, repeated[1], "another", idempotency_key="k"),
        world.send_together(sends, ruled[0], "many"),
        world.send_together(sends, ruled[1], "3"),
        world.send_together(sends, no_task),
        world.send_together(sends, good[1], idempotency_key="a new one"),
    ]
    found = await asyncio.gather(*await gathered(world, sends, works))
    kinds = [Receipt, TaskBusy, Receipt, KeyReused, AnswerRefused, Receipt, TaskNotFound, Receipt]
    assert [type(one) for one in found] == kinds
    assert isinstance(found[2], Receipt)
    assert (found[2].message_id, found[2].replayed) == (firsts[0].message_id, True)
    assert await commits(world, good) == 1
    assert [len(await world.messages(route)) for route in (*busy, *repeated, *ruled)] == [0, 0, 1, 1, 0, 1]
    for route in (*good, *busy, *repeated, *ruled):
        await world.log(route)


async def test_what_postgresql_refuses_is_refused_alone(world: World) -> None:
    """A key that no index takes: the statement fails for all, and each is tried again by itself."""
    sends = sends_of(world)
    routes = [await world.task() for _ in range(4)]
    endless = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=12_000))
    works = [world.send_together(sends, route) for route in routes[1:]]
    bad = world.send_together(sends, routes[0], idempotency_key=endless)

    async def refused() -> str:
        with pytest.raises(Exception, match="index row"):
            await bad
        return "refused"

    found = await asyncio.gather(*await gathered(world, sends, [refused(), *works]))
    assert [type(one) for one in found] == [str, Receipt, Receipt, Receipt]
    assert [len(await world.messages(route)) for route in routes] == [0, 1, 1, 1]


async def test_a_task_that_somebody_is_at_keeps_no_other_waiting(world: World) -> None:
    sends = sends_of(world)
    locked, *others = [await world.task() for _ in range(6)]
    async with held(world, locked):
        waits = asyncio.create_task(world.send_together(sends, locked))
        await world.blocked(1)
        behind = asyncio.create_task(world.send_together(sends, locked, "behind"))
        async with asyncio.timeout(20):
            await asyncio.gather(*(world.send_together(sends, route) for route in others))
        assert not waits.done()
        assert not behind.done()
    assert ((await waits).seq, (await behind).seq) == (1, 2)


async def test_a_long_message_goes_by_itself(world: World) -> None:
    sends = sends_of(world)
    routes = [await world.task() for _ in range(3)]
    texts = ["short", "long" * 10_000, "short"]
    works = [world.send_together(sends, route, text) for route, text in zip(routes, texts, strict=True)]
    await asyncio.gather(*await gathered(world, sends, works))
    assert await commits(world, [routes[0], routes[2]]) == 1
    assert await commits(world, routes) == 2


async def test_messages_to_a_task_are_accepted_as_they_came(world: World) -> None:
    """Long ones, ones with keys and ones that find the task locked go other ways, and overtake nobody."""
    sends = sends_of(world)
    routes = [await world.task() for _ in range(3)]
    chance = random.Random(7)

    def send(route: TaskRoute, n: int) -> Awaitable[Receipt]:
        text = f"{n} " + "x" * chance.choice([0, 0, 20_000])
        return world.send_together(sends, route, text, idempotency_key=chance.choice([None, f"k{n}"]))

    works = [(route, n) for n in range(40) for route in routes]
    async with held(world, routes[0]):
        tasks = [asyncio.create_task(_as_coroutine(send(route, n))) for route, n in works]
        await world.blocked(1)
    await asyncio.gather(*tasks)
    for route in routes:
        said = [int(message["text"].split()[0]) for message in await world.messages(route)]
        assert said == list(range(40))


async def _as_coroutine(work: Awaitable[_T]) -> _T:
    return await work


async def test_who_is_gone_keeps_nobody_waiting(world: World) -> None:
    """Callers that hang up in the line, in the gathering, and while their group is under way."""
    sends = sends_of(world)
    routes = [await world.task() for _ in range(8)]
    async with stalled(world):
        tasks = [asyncio.create_task(world.send_together(sends, route, f"{n}")) for n in range(3) for route in routes]
        await world.blocked(2)
        for task in tasks[::3]:
            task.cancel()
        await asyncio.gather(*tasks[::3], return_exceptions=True)
    async with asyncio.timeout(20):
        done = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(world.send_together(sends, route, "last") for route in routes))
    answered = [one for one in done if isinstance(one, Receipt)]
    assert len(answered) == len(tasks) - len(tasks[::3])
    for route in routes:  # of those that were answered: what becomes of the others nobody knows
        mine = [receipt.seq for receipt in answered if receipt.task_id == route.task_id]
        assert mine == sorted(mine)
        assert (await world.messages(route))[-1]["text"] == "last"


async def test_waiting_has_an_end(world: World) -> None:
    sends = sends_of(world, wait_seconds=0.1)
    *routes, late, last = [await world.task() for _ in range(6)]
    first: list[asyncio.Task[Receipt | DomainError]] = []
    before = sample("baton_database_failures_total", kind="slow")
    async with stalled(world):
        for route in routes:
            first.append(asyncio.create_task(outcome_of(world.send_together(sends, route))))
            await world.blocked(len(first))
        gathered = asyncio.create_task(outcome_of(world.send_together(sends, late)))
        with pytest.raises(Unavailable):
            await world.send_together(sends, routes[0])
        await asyncio.sleep(0.1)
        assert not gathered.done()
    assert {type(one) for one in await asyncio.gather(*first)} == {Receipt}
    assert isinstance(await gathered, Unavailable)
    assert sample("baton_database_failures_total", kind="slow") == before + 2
    assert isinstance(await world.send_together(sends, last), Receipt)


async def test_a_group_that_is_stuck_lets_others_go_beside_it(world: World) -> None:
    sends = sends_of(world)
    stuck, *others = [await world.task() for _ in range(6)]
    async with world.pool.transaction() as connection:  # as no code of ours does: it holds a key and no task
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "INSERT INTO messages (tenant_id, task_id, seq, id, text, origin, sender, idempotency_key, digest)"
            " VALUES ($1, $2, 99, $3, 'm', 'o', 's', 'k', '')",
            *(world.tenant, stuck.task_id, uuid4()),
        )
        waits = asyncio.create_task(outcome_of(world.send_together(sends, stuck, idempotency_key="k")))
        await world.blocked(1)
        async with asyncio.timeout(20):
            await asyncio.gather(*(world.send_together(sends, route) for route in others))
        assert not waits.done()
    assert isinstance(await waits, KeyReused)


async def test_a_tenants_groups_leave_connections_to_its_other_requests_and_to_others(database_url: str) -> None:
    async with opened_pool(database_url, 8) as pool:
        noisy, other = await World.create(database_url, pool), await World.create(database_url, pool)
        sends = sends_of(noisy)
        routes = [await noisy.task() for _ in range(40)]
        theirs = await other.task()

        async def of(world: World, route: TaskRoute) -> Receipt:
            spending.set(world.tenant)
            return await world.send_together(sends, route)

        async def look(world: World) -> None:
            spending.set(world.tenant)
            async with asyncio.timeout(10), world.pool.connection() as connection:
                await connection.execute("SELECT 1")

        async with stalled(other):
            tasks = [asyncio.create_task(of(noisy, route)) for route in routes]
            await noisy.blocked(2)
            last = asyncio.create_task(of(other, theirs))
            await noisy.blocked(3)
            await asyncio.gather(look(noisy), look(other))
            assert not any(task.done() for task in tasks)
        async with asyncio.timeout(20):
            await asyncio.gather(last, *tasks)


async def test_64_senders_at_once_while_workers_take_turns(world: World) -> None:
    """Nothing is lost, none is stored twice, each sender's messages stay in order, and no number is left out."""
    sends = sends_of(world)
    routes = [await world.task() for _ in range(12)]
    accepted: list[Receipt] = []

    async def sender(seed: int) -> None:
        mine = random.Random(seed)
        for n in range(6):
            options: dict[str, Any] = {
                "mode": mine.choice([None, None, SendMode.INTERRUPT, SendMode.REJECT]),
                "idempotency_key": mine.choice([None, f"{seed}/{n}"]),
            }
            route = mine.choice(routes)
            for _ in range(2 if options["idempotency_key"] else 1):
                one = await outcome_of(world.send_together(sends, route, f"{seed}/{n}", **options))
                if isinstance(one, Receipt):
                    accepted.append(one)
                else:
                    assert isinstance(one, TaskBusy)

    async with asyncio.timeout(120):
        await asyncio.gather(*(sender(n) for n in range(64)), *(work_off(world, route) for route in routes))
        await asyncio.gather(*(work_off(world, route) for route in routes))
    stored = {message["id"]: message for route in routes for message in await world.messages(route)}
    assert stored.keys() == {receipt.message_id for receipt in accepted}
    assert {message["state"] for message in stored.values()} == {"processed"}
    for route in routes:
        await check_claims(world, route)
        assert (await world.box(route)).state is TaskState.SUCCEEDED
        said = [message["text"] for message in await world.messages(route)]
        for seed in range(64):
            mine = [text for text in said if text.startswith(f"{seed}/")]
            assert mine == sorted(mine)
