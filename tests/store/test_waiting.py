"""Does the log say once what is asked, and can what a plan waited for still be told after each of its events?"""

from dataclasses import replace
from uuid import UUID

from baton.domain.approvals import Decision, Policy, ToolRules, Verdict
from baton.domain.conversation import Question, ToolCall
from baton.domain.events import Event, MessageWithdrawn, NewEvent, TurnEnded
from baton.domain.events.codec import encode
from baton.domain.events.parts import AskedQuestion
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Ending
from baton.domain.states import TaskState
from baton.service.waiting import with_waiting
from baton.store import approvals, receipts
from tests.store.world import World
from tests.support.authors import author

S = TaskState


def question(id: str, *, text: str) -> Question:
    """A question of a call of the same id."""
    return Question(id, text, (), None, call_id=f"call-{id}", turn=1, asked_at="2026-01-01T00:00:00+00:00")


async def asks(world: World, route: TaskRoute, turn: int, *questions: Question) -> Event:
    """A task takes a turn and asks; the last event."""
    await world.start(route, turn)
    await world.record(route, turn, asks=questions)
    return (await world.log(route))[-1]


async def positions(world: World, event: Event) -> tuple[list[int], list[int]]:
    """The tasks that waited, and those that were paused, after an event."""
    waiting, paused = await world.waited_after(event)
    return [task.position for task in waiting], [task.position for task in paused]


async def test_no_event_repeats_what_others_have_said(world: World) -> None:
    """The log of twice as many tasks that ask is twice as long, not four times."""
    sizes: list[int] = []
    for count in (8, 16):
        routes = await world.plan(*[()] * count)
        await world.advance(routes[0])
        for route in routes:
            await asks(world, route, 1, question("q", text="x" * 1000))
        for route in routes:  # each brings the plan to wait once more
            await world.send(route, "go on")
            await asks(world, route, 2, question("r", text="y" * 1000))
        (row,) = await world.rows(
            "SELECT sum(octet_length(data::text)) AS bytes FROM events WHERE tenant_id = $1 AND execution_id = $2",
            routes[0].execution_id,
        )
        sizes.append(row["bytes"])
    assert sizes[1] < 2.2 * sizes[0]


async def test_a_task_that_goes_on_asking_does_not_say_it_all_again(world: World) -> None:
    """A message that was sent meanwhile starts each turn: what the turns before asked stays open."""
    sizes: list[int] = []
    for count in (8, 16):
        route = await world.task()
        for turn in range(1, count + 1):
            await world.start(route, turn)
            if turn < count:
                await world.send(route, "and this")
            await world.record(route, turn, asks=[question(f"q{turn}", text="x" * 1000)])
        assert len((await world.box(route)).questions) == count
        for _ in range(count):
            await world.pause(route)
            await world.resume(route)
        assert (await world.box(route)).state is S.WAITING
        (row,) = await world.rows(
            "SELECT sum(octet_length(data::text)) AS bytes FROM events WHERE tenant_id = $1 AND execution_id = $2",
            route.execution_id,
        )
        sizes.append(row["bytes"])
    assert sizes[1] < 2.2 * sizes[0]


async def test_what_an_event_names_is_looked_up_in_its_order(world: World) -> None:
    route, other = await world.task(), await world.task()
    await asks(world, other, 1, question("q", text="another task's?"))
    asked = await asks(world, route, 1, question("r", text="first?"), question("q", text="second?"))
    assert asked.body == TurnEnded(turn=1, outcome=Ending.ANSWERED, open_questions=("r", "q"))
    told = await with_waiting(world.pool, world.tenant, route.execution_id, asked)
    assert [one.text for one in told.questions] == ["first?", "second?"]
    assert (told.waiting[0].question, told.approvals) == ("first?\nsecond?", ())
    sent = await world.send(route, "an answer")
    async with world.pool.transaction() as connection:
        await receipts.withdraw_message(connection, route, sent.message_id)
    withdrawn = await with_waiting(world.pool, world.tenant, route.execution_id, (await world.log(route))[-1])
    assert isinstance(withdrawn.body, MessageWithdrawn)
    assert [one.text for one in withdrawn.questions] == ["first?", "second?"]
    again = await with_waiting(world.pool, world.tenant, route.execution_id, asked)
    assert replace(again, waiting=told.waiting) == told
    await world.execute("DELETE FROM events WHERE tenant_id = $1 AND type = 'question.asked'")  # the log begins later
    last = await with_waiting(world.pool, world.tenant, route.execution_id, withdrawn)
    assert last.questions == withdrawn.questions, "the row has them"


async def test_what_older_code_wrote_in_full_is_still_told(world: World) -> None:
    one, two = await world.plan((), ())
    await world.advance(one)
    first = await asks(world, one, 1, question("a", text="one?"))
    older = TurnEnded(
        turn=1, outcome=Ending.ANSWERED, questions=(AskedQuestion(question_id="z", text="one, as it was?"),)
    )
    await world.rows(
        "UPDATE events SET data = $3 WHERE tenant_id = $1 AND execution_id = $2 AND seq = $4 RETURNING seq",
        one.execution_id,
        encode(NewEvent(older)),
        first.seq,
    )
    waits = await asks(world, two, 1, question("b", text="two?"))
    await world.send(one, "yes")
    assert [task.question for task in (await world.waited_after(waits))[0]] == ["one, as it was?", "two?"]


async def test_what_waited_after_an_event_that_is_not_the_last(world: World) -> None:
    one, two, three = await world.plan((), (), ())
    await world.advance(one)
    await asks(world, one, 1, question("a", text="one?"))
    await asks(world, three, 1, question("c", text="three?"))
    first = await asks(world, two, 1, question("b", text="two?"))
    assert first.execution_state == "waiting"
    assert [(task.position, task.question, task.consent) for task in (await world.waited_after(first))[0]] == [
        (1, "one?", False),
        (2, "two?", False),
        (3, "three?", False),
    ]
    await world.send(one, "yes")
    answered = (await world.log(one))[-1]
    await world.pause(three)
    second = await asks(world, one, 2, question("d", text="and now?"))
    assert await positions(world, answered) == ([2, 3], [])
    assert await positions(world, second) == ([1, 2], [3])
    assert [task.question for task in (await world.waited_after(first))[0]] == ["one?", "two?", "three?"], "as it was"
    await world.cancel(one)
    assert await positions(world, (await world.log(one))[-1]) == ([2], [3])


async def test_a_question_that_was_answered_beside_others_is_not_told_again(world: World) -> None:
    one, two = await world.plan((), ())
    await world.advance(one)
    await asks(world, one, 1, question("a", text="a?"), question("b", text="b?"))
    await world.send(one, "to a", question="a")
    event = await asks(world, two, 1, question("c", text="c?"))
    assert [task.question for task in (await world.waited_after(event))[0]] == ["b?", "c?"]


async def test_consent_alone_is_told_as_such(world: World) -> None:
    (route,) = await world.plan(())
    await world.advance(route)
    await world.start(route, 1)
    call = ToolCall("c1", "write", {"text": "x"})
    await world.record(route, 1, calls=[call], rules=ToolRules({"write": Policy.ASK}))
    event = (await world.log(route))[-1]
    ((task,), _) = await world.waited_after(event)
    assert task.consent
    assert task.question == 'May write be called with {"text": "x"}?'
    (approval,) = (await world.box(route)).approvals
    async with world.pool.transaction() as connection:
        decision = [(UUID(approval.id), Decision(Verdict.APPROVE))]
        await approvals.decide_all(connection, route, decision, author("ann"))
    ((task,), _) = await world.waited_after(event)
    assert task.question == 'May write be called with {"text": "x"}?', "the event says so, now that the row does not"


async def test_it_is_cut_by_bytes_and_by_tasks_and_tells_one_at_least(world: World) -> None:
    routes = await world.plan((), (), ())
    await world.advance(routes[0])
    events = [await asks(world, route, 1, question("q", text="x" * 1000)) for route in routes]
    event = events[-1]
    for most_bytes, expected in ((1, 1), (1100, 1), (1500, 2), (1_000_000, 3)):
        assert len((await world.waited_after(event, most_bytes=most_bytes))[0]) == expected
    assert len((await world.waited_after(event, limit=2))[0]) == 2
