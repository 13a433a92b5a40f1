"""The same key: the same receipt, whatever has happened since, and nothing else."""

import asyncio
from dataclasses import replace

import pytest

from baton.domain.conversation import Attachment
from baton.domain.errors import KeyReused, TaskBusy
from baton.domain.ids import TaskRoute
from baton.domain.messages import Draft, Receipt
from baton.domain.states import SendMode, TaskState
from baton.store import messages
from tests.store.world import World, question
from tests.support.authors import author

S = TaskState


def _as_replayed(receipt: Receipt) -> Receipt:
    """What a repeat is told: what was true then, and that nothing is to be done now."""
    return replace(receipt, replayed=True, interrupts=0, was=None, event_seq=0)


@pytest.mark.parametrize("state", [state for state in S if state is not S.CANCELLED])
async def test_a_repeat_gets_the_first_receipt_and_changes_nothing(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    first = await world.send(route, "hello", idempotency_key="k")
    before = await world.row(route), await world.execution(route), await world.messages(route), await world.log(route)
    for _ in range(2):
        assert await world.send(route, "hello", idempotency_key="k") == _as_replayed(first)
    after = await world.row(route), await world.execution(route), await world.messages(route), await world.log(route)
    assert after == before


async def test_a_repeat_of_an_interrupt_interrupts_nothing(world: World) -> None:
    route = await world.in_state(S.RUNNING, turn_open=True)
    first = await world.send(route, idempotency_key="k", mode=SendMode.INTERRUPT)
    await world.record(route, 1)
    await world.start(route, 2)
    again = await world.send(route, idempotency_key="k", mode=SendMode.INTERRUPT)
    assert (first.interrupts, again.interrupts) == (1, 0)
    assert not (await world.box(route)).interrupted(2)


async def test_the_key_is_looked_up_before_anything_else_is_judged(world: World) -> None:
    """Each of these would refuse a message without the key, or with another."""
    route = await world.task()
    await world.start(route, 1)
    await world.record(route, 1, asks=[question("a")])
    version = (await world.box(route)).version
    draft = {"question": "a", "if_versions": (version,), "mode": SendMode.REJECT, "idempotency_key": "k"}
    first = _as_replayed(await world.send(route, "hello", **draft))
    assert await world.send(route, "hello", **draft) == first, "task at work, question answered, version passed"
    with pytest.raises(KeyReused):
        await world.send(route, "another", **draft)
    await world.start(route, 2)
    await world.record(route, 2, asks=[question("number", {"type": "integer"})])
    assert await world.send(route, "hello", **draft) == first, "an answer that the open question's schema refuses"
    await world.cancel(route)
    assert await world.send(route, "hello", **draft) == first, "cancelled"
    with pytest.raises(KeyReused):
        await world.send(route, "another", **draft)
    assert len(await world.messages(route)) == 1


async def test_the_same_message_is_told_by_what_it_says(world: World) -> None:
    route = await world.in_state(S.WAITING)
    file = Attachment("a", "text/plain", "data:,a")
    first = await world.send(route, "caf\u00e9", attachments=(file,), idempotency_key="k")
    same = await world.send(route, "cafe\u0301", attachments=(file,), idempotency_key="k", mode=SendMode.INTERRUPT)
    assert same == _as_replayed(first)
    for text, attachments in (
        ("cafe", (file,)),
        ("caf\u00e9", ()),
        ("caf\u00e9", (file, file)),
        ("caf\u00e9 ", (file,)),
    ):
        with pytest.raises(KeyReused):
            await world.send(route, text, attachments=attachments, idempotency_key="k")
    with pytest.raises(KeyReused):
        await world.send(route, "caf\u00e9", attachments=(file,), idempotency_key="k", question="q")


async def test_a_key_counts_for_one_task(world: World) -> None:
    one, two = await world.plan((), ())
    receipts = [await world.send(route, "hello", idempotency_key="k") for route in (one, two)]
    assert [(receipt.seq, receipt.replayed) for receipt in receipts] == [(1, False), (1, False)]
    assert receipts[0].message_id != receipts[1].message_id


async def test_a_refused_message_does_not_use_up_its_key(world: World) -> None:
    route = await world.in_state(S.RUNNING)
    with pytest.raises(TaskBusy):
        await world.send(route, "hello", idempotency_key="k", mode=SendMode.REJECT)
    assert not (await world.send(route, "another", idempotency_key="k")).replayed


async def test_within_a_transaction_the_key_is_looked_up_first(world: World) -> None:
    """`earlier` sees what the transaction itself has stored, and a repeat leaves the transaction as it is."""
    route = await world.in_state(S.WAITING)
    draft = Draft("hello", "test", idempotency_key="k")
    async with world.pool.transaction() as connection:
        await messages.hold(connection, route.tenant_id, route.execution_id)
        assert await messages.earlier(connection, route, draft) is None
        first = await messages.accept(connection, route, draft, author(), relay_seconds=60)
        assert await messages.earlier(connection, route, draft) == _as_replayed(first)
        assert await messages.accept(connection, route, draft, author(), relay_seconds=60) == _as_replayed(first)
    assert len(await world.messages(route)) == 1


@pytest.mark.parametrize("state", [S.WAITING, S.RUNNING, S.SUCCEEDED])
async def test_twins_at_the_same_time_are_one_message(world: World, state: TaskState) -> None:
    route = await world.in_state(state)
    events = len(await world.log(route))
    receipts = await asyncio.gather(*(world.send(route, "hello", idempotency_key="k") for _ in range(64)))
    (first,) = [receipt for receipt in receipts if not receipt.replayed]
    assert {receipt for receipt in receipts if receipt.replayed} == {_as_replayed(first)}
    assert [message["seq"] for message in await world.messages(route)] == [1]
    assert len(await world.log(route)) == events + 1
    assert (await world.box(route)).accepted_seq == 1


async def test_twins_among_others(world: World) -> None:
    """Keys that are used twice burn neither message nor event numbers of those that are not."""
    route = await world.in_state(S.RUNNING, turn_open=True)
    events = len(await world.log(route))

    async def send(n: int) -> Receipt | None:
        try:
            return await world.send(route, f"text {n % 16}", idempotency_key=f"key {n % 8}")
        except KeyReused:
            return None

    receipts = await asyncio.gather(*(send(n) for n in range(96)))
    stored = await world.messages(route)
    assert [message["seq"] for message in stored] == list(range(1, 9))
    assert {message["idempotency_key"] for message in stored} == {f"key {n}" for n in range(8)}
    assert sum(receipt is not None and not receipt.replayed for receipt in receipts) == 8
    assert sum(receipt is None for receipt in receipts) == 48
    assert len(await world.log(route)) == events + 8


async def test_a_twin_of_a_message_that_is_rolled_back_is_stored(world: World) -> None:
    route: TaskRoute = await world.in_state(S.WAITING)
    draft = Draft("hello", "test", idempotency_key="k")
    async with world.pool.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await messages.accept(connection, route, draft, author(), relay_seconds=60)
        twin = asyncio.create_task(world.send(route, "hello", idempotency_key="k"))
        await world.blocked(1)
        await transaction.rollback()
    receipt = await twin
    assert (receipt.seq, receipt.replayed) == (1, False)
