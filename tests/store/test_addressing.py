"""Which task is a message to a whole execution for, and does its key count across all of them?"""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from baton.domain.errors import Conflict, ExecutionNotFound, KeyReused, NotFound, Outdated, TaskClosed
from baton.domain.ids import TaskRoute, whole_tenant
from baton.domain.messages import Draft, Receipt
from baton.domain.states import TaskState
from baton.store import executions, messages, routes
from tests.store.races import Race, outcome_of
from tests.store.world import World, question
from tests.support.authors import author
from tests.support.examples import examples

S = TaskState
ROUNDS = 32


async def send(world: World, execution: TaskRoute, text: str = "hello", **draft: Any) -> Receipt:
    """Accept a message to a whole execution as the service does."""
    said = Draft(text, "test", **draft)
    async with world.pool.transaction() as connection:
        await messages.hold(connection, world.tenant, execution.execution_id)
        found = await messages.earlier_of_execution(connection, world.tenant, execution.execution_id, said)
        if found is not None:
            return found
        route = await routes.addressed(connection, world.tenant, execution.execution_id, said.question)
        return await messages.accept(connection, route, said, author(), relay_seconds=60)


async def running_plan(world: World, size: int) -> list[TaskRoute]:
    """A plan of independent tasks, all running."""
    routes = await world.plan(*[()] * size)
    await world.advance(routes[0])
    return routes


async def asks(world: World, route: TaskRoute, *names: str) -> None:
    """A running task comes to wait for answers."""
    await world.start(route, 1)
    await world.record(route, 1, asks=[question(name) for name in names or ("q",)])


async def ends(world: World, route: TaskRoute) -> None:
    """A running task succeeds."""
    await world.start(route, 1)
    await world.record(route, 1)


async def test_the_one_that_has_waited_longest(world: World) -> None:
    one, two, three = await running_plan(world, 3)
    await asks(world, three)
    await asks(world, one)
    assert (await send(world, two)).task_id == three.task_id
    assert (await send(world, two)).task_id == one.task_id
    assert {(await world.box(route)).state for route in (one, two, three)} == {S.RUNNING}


async def test_the_one_that_asks_what_is_answered(world: World) -> None:
    one, two = await running_plan(world, 2)
    await asks(world, one, "first")
    await asks(world, two, "second")
    assert (await send(world, one, question="second")).task_id == two.task_id
    with pytest.raises(Outdated) as refused:
        await send(world, one, question="second")
    assert refused.value.questions == ("first",)
    # also of several that were paused since
    three, four = await running_plan(world, 2)
    for route, name in ((three, "third"), (four, "fourth")):
        await asks(world, route, name)
        await world.pause(route)
    assert (await send(world, three, question="fourth")).task_id == four.task_id


async def test_the_only_one_that_is_open(world: World) -> None:
    one, two, three = await world.plan((), (), (1, 2))
    await world.advance(one)
    with pytest.raises(Conflict) as refused:
        await send(world, one)
    assert refused.value.state == "running"
    await ends(world, one)
    assert (await send(world, one)).task_id == two.task_id  # the third has not begun
    await world.pause(two)
    assert (await send(world, one)).task_id == two.task_id
    assert (await world.messages(three)) == []
    fresh, _ = await world.plan((), ())
    with pytest.raises(Conflict) as refused:
        await send(world, fresh)
    assert refused.value.state == "pending"
    (alone,) = await world.plan(())
    assert (await send(world, alone)).state is S.PENDING


async def test_the_one_that_ended_last(world: World) -> None:
    one, two, three = await running_plan(world, 3)
    await ends(world, two)
    await ends(world, one)
    await world.start(three, 1)
    await world.fail(three, 1)
    sent = await send(world, one)
    assert (sent.task_id, sent.was, sent.reopened) == (three.task_id, S.FAILED, True)
    assert (await send(world, one)).task_id == three.task_id  # it is the only one that is open
    await world.cancel(three)
    with pytest.raises(TaskClosed):
        await send(world, one)
    (single,) = [await world.task()]
    assert (await send(world, single)).task_id == single.task_id


async def test_a_key_counts_across_the_execution(world: World) -> None:
    one, two = await running_plan(world, 2)
    await asks(world, one)
    first = await send(world, one, idempotency_key="k")
    assert first.task_id == one.task_id
    await asks(world, two)  # by now the message would be for the other
    again = await send(world, one, idempotency_key="k")
    assert (again.message_id, again.task_id, again.replayed) == (first.message_id, one.task_id, True)
    assert (again.state, again.version) == (first.state, first.version)
    with pytest.raises(KeyReused):
        await send(world, one, "something else", idempotency_key="k")
    assert await world.messages(two) == []
    # another door knows the task, and counts keys by task
    other = await world.send(two, "something else", idempotency_key="k")
    assert (await send(world, one, "something else", idempotency_key="k")).message_id == other.message_id
    assert (await send(world, one, idempotency_key="k")).message_id == first.message_id


async def test_another_tenants_execution_is_none(world: World, shared_database: str) -> None:
    one, *_ = await running_plan(world, 2)
    async with World.open(shared_database) as stranger, stranger.pool.connection() as connection:
        with pytest.raises(ExecutionNotFound):
            await messages.hold(connection, stranger.tenant, one.execution_id)
        with pytest.raises(ExecutionNotFound):
            await executions.route(connection, whole_tenant(stranger.tenant), one.execution_id)
        with pytest.raises(NotFound):
            await executions.route(connection, whole_tenant(world.tenant), uuid4())
        plan = await executions.route(connection, whole_tenant(world.tenant), one.execution_id)
        assert (plan.tenant, plan.execution_id, plan.queue, plan.agent_id) == (
            one.tenant,
            one.execution_id,
            one.queue,
            one.agent_id,
        )
        assert plan.only is None
        single = await world.task()
        assert (await executions.route(connection, whole_tenant(world.tenant), single.execution_id)).only == single


async def test_two_at_once_answer_two_tasks(world: World) -> None:
    """The second sees what the first has brought about: never the same question twice."""
    race = Race("the first", "the second")
    for _ in race.rounds(24):
        one, two = await running_plan(world, 2)
        await asks(world, one)
        await asks(world, two)
        first, second = await race.run(send(world, one), send(world, one))
        race.saw("the first" if first.task_id == one.task_id else "the second")
        assert {first.task_id, second.task_id} == {one.task_id, two.task_id}
        assert [list(m["answers"]) for r in (one, two) for m in await world.messages(r)] == [["q"], ["q"]]
    race.check()


async def test_a_repeat_at_once_is_one_message(world: World) -> None:
    for _ in range(examples(24)):
        one, two = await running_plan(world, 2)
        await asks(world, one)
        await asks(world, two)
        receipts = await asyncio.gather(*(send(world, one, idempotency_key="k") for _ in range(4)))
        assert len({receipt.message_id for receipt in receipts}) == 1
        assert sorted(receipt.replayed for receipt in receipts) == [False, True, True, True]
        assert len(await world.messages(one)) == 1
        assert await world.messages(two) == []


async def test_a_question_in_the_instant_of_a_message(world: World) -> None:
    """One of two running tasks comes to wait: the message is for it, or it came before and was refused."""
    race = Race("refused", "answers")
    for _ in race.rounds(ROUNDS):
        one, two = await running_plan(world, 2)
        await world.start(one, 1)
        sent, _ = await race.run(outcome_of(send(world, two)), world.record(one, 1, asks=[question("q")]))
        if isinstance(sent, Receipt):
            assert sent.task_id == one.task_id
            assert [list(m["answers"]) for m in await world.messages(one)] == [["q"]]
            race.saw("answers")
        else:
            assert isinstance(sent, Conflict)
            assert (await world.box(one)).state is S.WAITING
            assert await world.messages(one) == []
            race.saw("refused")
        assert await world.messages(two) == []
    race.check()


async def test_a_repeat_at_once_through_another_door(world: World) -> None:
    """One says the task and one the execution, under the same key: there is one message, whoever comes first."""
    race = Race("the execution's", "the task's")
    for _ in race.rounds(ROUNDS):
        one, two = await running_plan(world, 2)
        await asks(world, one)
        mine, theirs = await race.run(
            send(world, two, idempotency_key="k"), world.send(one, "hello", idempotency_key="k")
        )
        assert mine.message_id == theirs.message_id
        assert mine.replayed is not theirs.replayed
        assert len(await world.messages(one)) == 1
        race.saw("the task's" if mine.replayed else "the execution's")
    race.check()
