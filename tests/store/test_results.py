"""Answers that were no valid results: recorded once, whoever comes late or twice, and the task goes on."""

from dataclasses import replace

import pytest

from activities.failures import LimitReached
from activities.reading import read_transcript
from baton.agents.errors import RESULT_INVALID, ModelFailed
from baton.domain.allowance import PREFIX
from baton.domain.compactions import Compaction, CompactionReason, Cut, LeftOut
from baton.domain.conversation import ModelReply, Usage
from baton.domain.events import EventType
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Standing, Then
from baton.domain.results import AS_TEXT, GIVE_UP, RESULT, TRIES, Judged
from baton.domain.states import TaskState
from baton.store import compactions, failures, receipts, steps, tasks, transcripts
from baton.store.steps import StepAttempt
from tests.store.world import World, key, question

WRONG = Judged("three", wrong=("it is not JSON",))
ONE_TURN = "UPDATE tasks SET limits = '{\"max_turns\": 1}' WHERE tenant_id = $1 AND id = $2"
RIGHT = Judged('{"count": 3}', is_json=True)


async def record(world: World, route: TaskRoute, step: int, judged: Judged, attempt: int = 1) -> Standing:
    """Record an answer, judged, as that of a step of the first turn."""
    reply = ModelReply(judged.text, (), {})
    async with world.pool.transaction() as connection:
        return await steps.record_step(connection, key(route, 1, step), attempt, reply, (), (), (), judged=judged)


async def start(world: World, route: TaskRoute, step: int) -> StepAttempt | Standing:
    async with world.pool.transaction() as connection:
        return await steps.start_step(connection, key(route, 1, step))


async def test_the_next_step_answers_again(world: World) -> None:
    route = await world.task()
    await start(world, route, 0)
    after = await record(world, route, 0, WRONG)
    assert (after.then, after.turn, after.step) == (Then.STEP, 1, 1)
    assert (await world.row(route))["state"] == TaskState.RUNNING
    log = await world.log(route)
    assert log[-1].type is EventType.STEP_COMPLETED
    assert log[-1].data["refused"] == "it is not JSON"
    assert isinstance(await start(world, route, 1), StepAttempt)
    assert (await record(world, route, 1, RIGHT)).then is Then.REST
    row = await world.row(route)
    assert (row["state"], row["result"], row["result_json"]) == (TaskState.SUCCEEDED, RIGHT.text, True)
    async with world.pool.connection() as connection:
        view = await tasks.view(connection, world.tenant, route.task_id)
    assert view is not None
    assert view.output == {"count": 3}
    assert (await world.log(route))[-1].data["result"] == {"count": 3}


async def test_a_worker_that_dies_around_the_judgement_leaves_one_answer(world: World) -> None:
    """Before it was recorded the step is tried again; after that the next step is due, and nothing is said twice."""
    route = await world.task()
    await start(world, route, 0)
    again = await start(world, route, 0)  # the first attempt's worker is gone with its answer
    assert isinstance(again, StepAttempt)
    assert again.attempt == 2
    await record(world, route, 0, WRONG, attempt=2)
    before = await world.log(route)
    late = await record(world, route, 0, RIGHT, attempt=1)
    assert (late.then, late.turn) == (Then.STEP, 1)
    found = await start(world, route, 0)  # the second's was killed before Temporal heard of it
    assert isinstance(found, Standing)
    assert (found.then, found.turn, found.step) == (Then.STEP, 1, 1)
    assert [event for event in await world.log(route) if event not in before and "usage" not in event.data] == []
    assert (await world.row(route))["state"] == TaskState.RUNNING


async def test_what_was_wrong_is_read_with_the_answer(world: World) -> None:
    route = await world.task()
    await start(world, route, 0)
    await record(world, route, 0, WRONG)
    async with world.pool.connection() as connection:
        read = await transcripts.read(connection, world.tenant, route.task_id)
    (step,) = read.turns[-1].steps
    assert (step.text, step.refused) == ("three", "it is not JSON")
    assert read.result_schema == {}


async def test_a_withdrawn_message_brings_the_json_back(world: World) -> None:
    route = await world.task()
    await start(world, route, 0)
    await record(world, route, 0, RIGHT)
    sent = await world.send(route, "more")
    async with world.pool.transaction() as connection:
        await receipts.withdraw_message(connection, route, sent.message_id)
    back = (await world.log(route))[-1]
    assert back.type is EventType.MESSAGE_WITHDRAWN
    assert back.data["result"] == {"count": 3}


@pytest.mark.parametrize("text", ["I counted three.", "[" * 100_000])
async def test_a_text_that_an_older_worker_wrote_over_json_is_read_as_text(world: World, text: str) -> None:
    """It knows of no JSON, and leaves the mark of the result before: while versions are deployed both run."""
    route = await world.task()
    await start(world, route, 0)
    await record(world, route, 0, RIGHT)
    async with world.pool.connection() as connection:
        await connection.execute("UPDATE tasks SET result = $1 WHERE id = $2", text, route.task_id)
        view = await tasks.view(connection, world.tenant, route.task_id)
    assert view is not None
    assert (view.result_json, view.output) == (True, text)
    sent = await world.send(route, "more")
    async with world.pool.transaction() as connection:
        await receipts.withdraw_message(connection, route, sent.message_id)
    assert (await world.log(route))[-1].data["result"] == text


async def refused_and_asked(world: World, route: TaskRoute) -> None:
    """The first turn's tries are used up, and the task asks."""
    for step in range(TRIES):
        await start(world, route, step)
        await record(world, route, step, WRONG)
    await start(world, route, TRIES)
    asking = replace(question("result"), call_id=PREFIX + RESULT)
    async with world.pool.transaction() as connection:
        await failures.ask_instead(connection, key(route, 1, TRIES), 1, asking)


@pytest.mark.parametrize("said", [AS_TEXT, GIVE_UP])
async def test_what_was_said_of_wrong_answers_is_heeded_after_a_summary(world: World, said: str) -> None:
    """A turn may begin with summaries, where there is too much to load: its first answer comes as a later step."""
    route = await world.task()
    await refused_and_asked(world, route)
    await world.send(route, said)
    await world.start(route, 2)
    made = Compaction(Cut(1, 2), "a summary", LeftOut(1), CompactionReason.WINDOW, 2, 0, kept_seq=0)
    async with world.pool.transaction() as connection:
        await compactions.record(connection, key(route, 2), 1, made, Usage(calls=1))
    await world.start(route, 2, 1)
    reading = read_transcript(world.pool, key(route, 2, 1), 2**20)
    if said == GIVE_UP:
        with pytest.raises(ModelFailed, match=RESULT_INVALID):
            await reading
    else:
        assert (await reading).taken == WRONG.text


async def test_tries_that_a_summary_stands_for_count(world: World) -> None:
    """Else a task whose answers fill its model's window would be asked again and again."""
    route = await world.task()
    for step in range(TRIES - 1):
        await start(world, route, step)
        await record(world, route, step, WRONG)
    await start(world, route, TRIES - 1)
    made = Compaction(Cut(1, TRIES - 2), "a summary", LeftOut(1), CompactionReason.WINDOW, 1, TRIES - 1, kept_seq=0)
    async with world.pool.transaction() as connection:
        await compactions.record(connection, key(route, 1, TRIES - 1), 1, made, Usage(calls=1))
    await start(world, route, TRIES)
    await read_transcript(world.pool, key(route, 1, TRIES), 2**20)
    await record(world, route, TRIES, WRONG)
    await start(world, route, TRIES + 1)
    with pytest.raises(LimitReached) as reached:
        await read_transcript(world.pool, key(route, 1, TRIES + 1), 2**20)
    assert "it is not JSON" in str(reached.value.question)


@pytest.mark.parametrize("said", [AS_TEXT, GIVE_UP])
async def test_what_was_said_of_wrong_answers_needs_no_leave_of_limits(world: World, said: str) -> None:
    """It asks no model. A limit that asked first would have it forgotten: its answer begins another turn."""
    route = await world.task()
    await world.execute(
        "UPDATE tasks SET limits = '{\"max_turns\": 1}' WHERE tenant_id = $1 AND id = $2", route.task_id
    )
    await refused_and_asked(world, route)
    await world.send(route, said)
    await world.start(route, 2)
    reading = read_transcript(world.pool, key(route, 2), 2**20)
    if said == GIVE_UP:
        with pytest.raises(ModelFailed, match=RESULT_INVALID):
            await reading
    else:
        assert (await reading).taken == WRONG.text


async def test_with_more_than_that_limits_ask(world: World) -> None:
    """Then the model would be asked."""
    route = await world.task()
    await world.execute(
        "UPDATE tasks SET limits = '{\"max_turns\": 1}' WHERE tenant_id = $1 AND id = $2", route.task_id
    )
    await refused_and_asked(world, route)
    await world.send(route, AS_TEXT)
    await world.send(route, "no, wait")
    await world.start(route, 2)
    with pytest.raises(LimitReached, match="max_turns"):
        await read_transcript(world.pool, key(route, 2), 2**20)
