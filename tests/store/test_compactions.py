"""Summaries in the record: made once, read from their cut on, and nothing is loaded that they stand for."""

from typing import Any

from baton.domain.authors import Author, AuthorKind
from baton.domain.compactions import Compaction, CompactionReason, Cut, LeftOut
from baton.domain.conversation import Transcript, Usage
from baton.domain.events import EventType, MessagePinned, StepUsed
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Standing, Then
from baton.domain.states import SendMode
from baton.store import compactions, receipts, transcripts
from baton.store.steps import StepAttempt
from tests.store.world import World, key


def made(route: TaskRoute, turn: int, step: int, cut: Cut, kept_seq: int, **more: Any) -> Compaction:
    return Compaction(
        cut, "a summary", LeftOut(turn - 1), CompactionReason.WINDOW, turn, step, kept_seq=kept_seq, **more
    )


async def record(world: World, route: TaskRoute, compaction: Compaction, attempt: int = 1) -> Standing:
    """A worker records a summary."""
    async with world.pool.transaction() as connection:
        step = key(route, compaction.turn, compaction.step)
        return await compactions.record(connection, step, attempt, compaction, Usage(10, 5, calls=1))


async def read(world: World, route: TaskRoute, turn: int) -> tuple[Transcript, int]:
    """What the next step reads, and how much that is taken for."""
    async with world.pool.connection() as connection:
        budget = await transcripts.budget(connection, world.tenant, route.task_id, turn)
        found = await transcripts.read(connection, world.tenant, route.task_id, budget.compaction)
    return found, budget.transcript_bytes


async def talked(world: World, turns: int, size: int = 2000) -> TaskRoute:
    """A task with so many turns, of which the last is under way; the second message is pinned."""
    route = await world.task()
    for turn in range(1, turns + 1):
        if turn > 1:
            await world.send(route, f"message {turn} ".ljust(size, "x"), pinned=turn == 3)
        started = await world.start(route, turn)
        assert isinstance(started, StepAttempt)
        if turn < turns:
            await world.record(route, turn, text="y" * size)
    return route


async def test_a_summary_is_a_step_and_the_next_one_is_due(world: World) -> None:
    route = await talked(world, 6)
    before, size = await read(world, route, 6)
    assert [turn.number for turn in before.turns] == [1, 2, 3, 4, 5, 6]
    where = await record(world, route, made(route, 6, 0, Cut(5, 0), 4))
    assert (where.then, where.turn, where.step) == (Then.STEP, 6, 1)
    assert isinstance(await world.start(route, 6, 1), StepAttempt)
    after, less = await read(world, route, 6)
    assert [turn.number for turn in after.turns] == [5, 6]
    assert after.turns == before.turns[4:-1] + after.turns[-1:]
    assert after.turns[-1].messages == before.turns[-1].messages
    assert [message.text.strip("x") for message in after.pinned] == ["message 3 "]
    assert after.compaction is not None
    assert (after.compaction.number, after.compaction.summary) == (1, "a summary")
    assert less < size / 2
    await world.record(route, 6, 1)
    assert (await world.row(route))["state"] == "succeeded"


async def test_what_is_pinned_later_is_read_from_the_next_step_on_until_it_is_not(world: World) -> None:
    route = await talked(world, 6)
    await record(world, route, made(route, 6, 0, Cut(5, 0), 4))
    sent = {message["seq"]: message["id"] for message in await world.messages(route)}
    ada = Author(AuthorKind.KEY, "1", "ada")

    async def pin(seq: int, *, pinned: bool) -> list[str]:
        async with world.pool.transaction() as connection:
            await receipts.pin_message(connection, route, sent[seq], ada, pinned=pinned)
        return [message.text.strip("x ") for message in (await read(world, route, 6))[0].pinned]

    assert await pin(1, pinned=True) == ["message 2", "message 3"]
    assert await pin(1, pinned=True) == ["message 2", "message 3"]
    assert await pin(2, pinned=False) == ["message 2"]
    assert await pin(1, pinned=False) == []
    told = [event.body for event in await world.log(route) if isinstance(event.body, MessagePinned)]
    assert [(one.seq, one.pinned, one.by) for one in told] == [(1, True, "ada"), (2, False, "ada"), (1, False, "ada")]


async def test_what_is_pinned_counts_as_read(world: World) -> None:
    route = await talked(world, 5, size=2_000_000)
    await record(world, route, made(route, 5, 0, Cut(5, 0), 4))
    transcript, size = await read(world, route, 5)
    assert [len(message.text) for message in transcript.pinned] == [2_000_000]
    assert 4_000_000 <= size < 4_001_000  # and the turn's own message


async def test_a_summary_is_recorded_once(world: World) -> None:
    route = await talked(world, 4)
    compaction = made(route, 4, 0, Cut(3, 0), 2)
    again = await world.start(route, 4)  # its worker was killed
    assert isinstance(again, StepAttempt)
    assert again.attempt == 2
    late = await record(world, route, compaction, attempt=1)
    assert (late.then, late.step) == (Then.STEP, 0)
    await record(world, route, compaction, attempt=2)
    where = await record(world, route, compaction, attempt=2)
    assert isinstance(await world.start(route, 4), Standing)
    assert (where.then, where.step) == (Then.STEP, 0)  # one that comes too late is told to look again
    rows = await world.rows("SELECT * FROM compactions WHERE tenant_id = $1 AND task_id = $2", route.task_id)
    assert [(row["number"], row["turn"], row["step"]) for row in rows] == [(1, 4, 0)]
    log = [event for event in await world.log(route) if event.type is EventType.CONTEXT_COMPACTED]
    assert len(log) == 1


async def test_what_was_undone_while_a_summary_was_made_on_top_of_it_stays_undone(world: World) -> None:
    route = await talked(world, 5)
    await record(world, route, made(route, 5, 0, Cut(3, 0), 2))
    await world.start(route, 5, 1)
    async with world.pool.transaction() as connection:
        await compactions.undo(connection, route, 1, Author(AuthorKind.KEY, "1", "ada"))
    where = await record(world, route, made(route, 5, 1, Cut(5, 0), 4, last=1))
    assert (where.then, where.turn, where.step) == (Then.STEP, 5, 2)
    assert isinstance(await world.start(route, 5, 2), StepAttempt)
    transcript, _ = await read(world, route, 5)
    assert (transcript.compaction, len(transcript.turns)) == (None, 5)
    told = [event.body for event in await world.log(route) if event.type is EventType.STEP_USED]
    assert [(one.step, one.usage.input_tokens) for one in told if isinstance(one, StepUsed)] == [(1, 10)]


async def test_an_interrupted_turn_has_no_summary(world: World) -> None:
    route = await talked(world, 3)
    await world.send(route, "stop that", mode=SendMode.INTERRUPT)
    where = await record(world, route, made(route, 3, 0, Cut(2, 0), 1))
    assert (where.then, where.turn) == (Then.STEP, 4)
    assert (await read(world, route, 3))[0].compaction is None


async def test_within_a_turn_its_messages_stay(world: World) -> None:
    route = await talked(world, 3)
    await record(world, route, made(route, 3, 0, Cut(3, 0), 2))
    transcript, _ = await read(world, route, 3)
    assert [(turn.number, len(turn.messages)) for turn in transcript.turns] == [(3, 1)]
    assert transcript.pinned == ()
