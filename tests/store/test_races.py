"""What happens in the same instant: looped, on many connections, with both outcomes seen."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from baton.domain.errors import AnswerRefused, Conflict, DomainError, Outdated, TaskBusy, TaskClosed
from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Then
from baton.domain.messages import Receipt
from baton.domain.states import SendMode, TaskState
from baton.store import plan_control, rings
from baton.store.rings import RingPace
from baton.store.steps import StepAttempt
from tests.store.races import Race, outcome_of
from tests.store.test_steps import stands, started
from tests.store.world import World, items, question
from tests.support.authors import author
from tests.support.examples import examples

S, T = TaskState, EventType

ROUNDS = 48


async def work_off(world: World, route: TaskRoute) -> None:
    """A worker that takes turns until nothing is due."""
    turn, step, attempt = 1, 0, 1
    while True:
        found = await world.start(route, turn, step)
        if isinstance(found, StepAttempt):
            attempt = found.attempt
            found = await world.record(route, turn, step, attempt)
        if found.then is Then.REST:
            return
        turn, step = found.turn, found.step


async def check_claims(world: World, route: TaskRoute) -> None:
    """Messages are numbered without gaps, and each turn read a contiguous range, in order, none twice."""
    messages = await world.messages(route)
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    turns = [message["turn"] for message in messages if message["turn"] is not None]
    assert turns == sorted(turns)
    told: list[int] = []
    for event in await world.log(route):
        if event.type is T.TURN_STARTED and event.task_id == route.task_id:
            told += [item["seq"] for item in items(event, "messages")]
    assert told == [message["seq"] for message in messages if message["turn"] is not None]


async def test_a_send_in_the_instant_the_task_closes(world: World) -> None:
    race = Race("kept open", "reopened")
    for _ in race.rounds(ROUNDS):
        route = await world.task()
        await world.start(route, 1)
        receipt, where = await race.run(world.send(route), world.record(route, 1))
        box = await world.box(route)
        assert (box.state, box.turn_open, box.has_unclaimed) == (S.RUNNING, False, True)
        if receipt.reopened:
            race.saw("reopened")
            assert stands(where) == (Then.REST, 1, 0)
            assert (await world.row(route))["ring_at"] is not None, "nobody else would come"
            assert not receipt.turn_open
        else:
            race.saw("kept open")
            assert stands(where) == (Then.STEP, 2, 0)
            assert receipt.turn_open
        started(await world.start(route, 2))
        assert (await world.record(route, 2)).box.state is S.SUCCEEDED
        assert [(m["state"], m["turn"]) for m in await world.messages(route)] == [("processed", 2)]
    race.check()


async def test_a_send_in_the_instant_a_question_opens(world: World) -> None:
    """Accepted before the question it answers nothing, and the question stays open; after it, it answers it."""
    race = Race("comes before", "answers")
    for _ in race.rounds(ROUNDS):
        route = await world.task()
        await world.start(route, 1)
        receipt, where = await race.run(world.send(route), world.record(route, 1, asks=[question("q")]))
        log = await world.log(route)
        order = [event.type for event in log if event.type in (T.QUESTION_ASKED, T.MESSAGE_ACCEPTED)]
        asked_first = order == [T.QUESTION_ASKED, T.MESSAGE_ACCEPTED]
        (message,) = await world.messages(route)
        box = await world.box(route)
        assert box.state is S.RUNNING
        assert message["answers"] == (["q"] if asked_first else [])
        assert [one.id for one in box.questions] == ([] if asked_first else ["q"])
        assert receipt.turn_open is not asked_first
        assert stands(where) == ((Then.REST, 1, 0) if asked_first else (Then.STEP, 2, 0))
        started(await world.start(route, 2))
        end = await world.record(route, 2)
        assert end.box.state is (S.SUCCEEDED if asked_first else S.WAITING)
        race.saw("answers" if asked_first else "comes before")
    race.check()


async def test_a_send_in_the_instant_a_turn_begins(world: World) -> None:
    race = Race("claimed", "waits")
    for _ in race.rounds(ROUNDS // 2):
        route = await world.task()
        receipt, _ = await race.run(world.send(route), world.start(route, 1))
        (message,) = await world.messages(route)
        assert (message["state"], message["turn"]) == (("accepted", None) if receipt.turn_open else ("claimed", 1))
        race.saw("waits" if receipt.turn_open else "claimed")
        await work_off(world, route)
        await check_claims(world, route)
        assert [m["state"] for m in await world.messages(route)] == ["processed"]
    race.check()


async def test_a_send_in_the_instant_the_task_is_cancelled(world: World) -> None:
    race = Race("dead", "refused")
    for _ in race.rounds(ROUNDS // 2):
        route = await world.task()
        await world.start(route, 1)
        sent, _ = await race.run(outcome_of(world.send(route)), world.cancel(route))
        assert (await world.box(route)).state is S.CANCELLED
        messages = await world.messages(route)
        if isinstance(sent, Receipt):
            race.saw("dead")
            assert [(m["state"], m["reason"]) for m in messages] == [("dead", "task_cancelled")]
        else:
            race.saw("refused")
            assert isinstance(sent, TaskClosed)
            assert messages == []
        await world.log(route)
    race.check()


async def test_an_interrupt_in_the_instant_the_turn_ends(world: World) -> None:
    """Either it stops the turn, or it comes to the next one and stops nothing."""
    race = Race("interrupted", "recorded")
    for _ in race.rounds(ROUNDS // 2):
        route = await world.task()
        await world.start(route, 1)
        receipt, _ = await race.run(world.send(route, mode=SendMode.INTERRUPT), world.record(route, 1))
        (first,) = await world.steps(route)
        race.saw(first["state"])
        assert receipt.interrupts == (1 if first["state"] == "interrupted" else 0)
        await work_off(world, route)
        assert [step["state"] for step in await world.steps(route)] == [first["state"], "recorded"]
        assert [(m["state"], m["turn"]) for m in await world.messages(route)] == [("processed", 2)]
    race.check()


async def test_a_burst_while_a_worker_takes_turns(world: World) -> None:
    for _ in range(examples(5)):
        route = await world.task()

        async def send(route: TaskRoute, sender: int) -> None:
            for n in range(8):
                await world.send(route, f"{sender}/{n}")

        await asyncio.gather(*(send(route, sender) for sender in range(12)), work_off(world, route))
        await work_off(world, route)
        messages = await world.messages(route)
        await check_claims(world, route)
        assert len(messages) == 96
        assert {message["state"] for message in messages} == {"processed"}
        for sender in range(12):
            said = [message["text"] for message in messages if message["text"].startswith(f"{sender}/")]
            assert said == [f"{sender}/{n}" for n in range(8)], "one sender's messages stay in order"
        assert (await world.box(route)).state is S.SUCCEEDED


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"question": "q"}, Outdated),
        ({"mode": SendMode.REJECT}, TaskBusy),
        ({"if_versions": (3,)}, Outdated),
    ],
)
async def test_of_many_that_want_to_be_the_one_answer_one_is(
    world: World, wish: dict[str, Any], refusal: type[DomainError]
) -> None:
    for _ in range(examples(10)):
        route = await world.task()
        await world.start(route, 1)
        await world.record(route, 1, asks=[question("q")])
        assert (await world.box(route)).version == 3
        sent = await asyncio.gather(*(outcome_of(world.send(route, **wish)) for _ in range(16)))
        assert Counter(type(one) for one in sent) == {Receipt: 1, refusal: 15}
        assert len(await world.messages(route)) == 1
        await world.log(route)


async def test_answers_to_a_ruled_question_at_once(world: World) -> None:
    """Each is checked against what is open, however often that changes under it."""
    for _ in range(examples(10)):
        route = await world.task()
        await world.start(route, 1)
        asked = [question(f"q{n}", {"type": "integer"}) for n in range(4)]
        await world.record(route, 1, asks=asked)
        sends = [world.send(route, str(n), question=f"q{n % 4}") for n in range(12)]
        sends += [world.send(route, "no number", question=f"q{n % 4}") for n in range(12)]
        sent = await asyncio.gather(*map(outcome_of, sends))
        assert sum(isinstance(one, Receipt) for one in sent[:12]) == 4
        assert {type(one) for one in sent[12:]} <= {AnswerRefused, Outdated}
        assert all(message["text"].isdigit() for message in await world.messages(route))
        assert (await world.box(route)).state is S.RUNNING


async def test_two_workers_at_the_same_step(world: World) -> None:
    """A retry that overlaps with what it retries: one of them records."""
    race = Race("first", "second")
    for _ in race.rounds(ROUNDS // 4):
        route = await world.task()
        one, two = await race.run(world.start(route, 1), world.start(route, 1))
        attempts = (started(one).attempt, started(two).attempt)
        assert sorted(attempts) == [1, 2]
        race.saw("first" if attempts == (1, 2) else "second")
        await race.run(
            world.record(route, 1, attempt=1, text="first"), world.record(route, 1, attempt=2, text="second")
        )
        (step,) = await world.steps(route)
        assert (step["state"], step["text"]) == ("recorded", "second")
        assert (await world.row(route))["result"] == "second"
    race.check()


async def test_everybody_at_one_execution(world: World) -> None:
    """Whatever locks meet, none waits for another in a circle; the log has no gaps; nothing is lost."""
    chance = random.Random(4)
    tasks = await world.plan((), (), (1,), (1, 2), ())
    await world.advance(tasks[0])
    sent: list[Receipt] = []

    async def caller(seed: int) -> None:
        mine = random.Random(seed)
        for n in range(12):
            route = mine.choice(tasks)
            mode = mine.choice([None, SendMode.INTERRUPT, SendMode.REJECT])
            key = mine.choice([None, "k1", "k2"])
            one = await outcome_of(world.send(route, f"{seed}/{n}", mode=mode, idempotency_key=key and f"{key}/{seed}"))
            if isinstance(one, Receipt):
                sent.append(one)

    async def operator(seed: int) -> None:
        mine = random.Random(seed)
        for _ in range(8):
            route = mine.choice(tasks)
            await outcome_of(mine.choice([world.pause, world.resume, world.advance])(route))
            for do in mine.sample([plan_control.pause_all, plan_control.resume_all], 1):
                async with world.pool.transaction() as connection:
                    await do(connection, world.tenant, route.execution_id, author())

    async def worker(route: TaskRoute) -> None:
        turn = step = 0
        for n in range(25):
            found = await world.start(route, turn, step)
            if isinstance(found, StepAttempt):
                await world.stream(route, turn, "text", step, found.attempt)
                if n % 7 == 3:
                    found = await world.fail(route, turn)
                elif n % 5 == 2:
                    found = await world.interrupted(route, turn, step, found.attempt)
                else:
                    asks = [question(f"q{turn}")] if n % 3 == 1 else []
                    found = await world.record(route, turn, step, found.attempt, asks=asks)
            turn, step = found.turn, found.step

    async def relay() -> None:
        for _ in range(15):
            async with world.pool.connection() as connection:
                await rings.due_tasks(connection, RingPace(5, 1000, 0, 0))
                await rings.due_plans(connection, RingPace(5, 1000, 0, 0))

    crowd = [caller(n) for n in range(8)] + [operator(n) for n in range(3)] + [worker(t) for t in tasks]
    crowd += [relay(), relay()]
    chance.shuffle(crowd)
    async with asyncio.timeout(60):
        await asyncio.gather(*crowd)

    async with world.pool.transaction() as connection:
        await plan_control.resume_all(connection, world.tenant, tasks[0].execution_id, author())
    for _ in range(3):
        await world.advance(tasks[0])
        for route in tasks:
            await outcome_of(world.resume(route))
            await work_off(world, route)
            await outcome_of(world.send(route, "an answer"))
            await work_off(world, route)
    stored = {message["id"]: message for route in tasks for message in await world.messages(route)}
    for receipt in sent:
        message = stored[receipt.message_id]
        assert message["state"] in ("processed", "dead"), dict(message)
    for route in tasks:
        await check_claims(world, route)
        assert not (await world.box(route)).has_unclaimed


async def test_cancelling_all_while_everybody_is_at_work(world: World) -> None:
    for _ in range(examples(8)):
        tasks = await world.plan((), (), (1,))
        await world.advance(tasks[0])

        async def cancel(tasks: list[TaskRoute] = tasks) -> None:
            async with world.pool.transaction() as connection:
                await plan_control.cancel_all(connection, world.tenant, tasks[0].execution_id, author())

        sends = [outcome_of(world.send(tasks[n % 3], mode=SendMode.INTERRUPT)) for n in range(9)]
        await asyncio.gather(
            *sends, *(work_off(world, route) for route in tasks[:2]), cancel(), world.advance(tasks[0])
        )
        await cancel()
        states = [(await world.box(route)).state for route in tasks]
        assert set(states) <= {S.CANCELLED, S.SUCCEEDED, S.FAILED}
        for route in tasks:
            await check_claims(world, route)
            assert {m["state"] for m in await world.messages(route)} <= {"processed", "dead"}
            with pytest.raises(Conflict):
                await world.resume(route)
