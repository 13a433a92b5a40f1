"""Long conversations with a model whose window is small: every turn is answered, and nothing is lost."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from baton.domain.agents import Agent
from baton.domain.events import ContextCompacted, StepCompleted
from baton.domain.ids import TaskById
from baton.domain.json import JsonObject
from baton.service import compactions
from baton.store import agents
from tests.support.openai_server import Called, Json, OpenAIServer, Refusal, Reply, running_openai_server
from tests.support.postgres import PostgresServer
from tests.support.system import System, running_system
from tests.support.temporal import RunningTemporal

MODEL: Final = "openai-chat:gpt-5-mini"
#: What the provider takes in one request.
WINDOW: Final = 24 * 1024
#: What its agents believe of it, in tokens.
TOKENS: Final = 6000
SUMMARY: Final = "a summary of what was said"


def spoken(body: Json) -> str:
    """All that a request says."""
    return json.dumps(body["messages"], ensure_ascii=False)


def size_of(body: Json) -> int:
    """What a request takes, in bytes."""
    return len(json.dumps(body, ensure_ascii=False).encode())


def sizes(provider: OpenAIServer) -> list[int]:
    """What each request took."""
    return [size_of(asked.body) for asked in provider.asked]


def is_summary(body: Json) -> bool:
    """Whether a request asks for a summary."""
    return "You shorten the record" in spoken(body)


def window(body: Json) -> Reply | Refusal:
    """A model that acknowledges what it is told last, and reads so much and no more."""
    if size_of(body) > WINDOW:
        return Refusal(400, "context_length_exceeded", "This model's maximum context length is exceeded.")
    if is_summary(body):
        return Reply((SUMMARY,), input_tokens=100, output_tokens=20)
    return Reply((f"Noted {str(body['messages'][-1]['content'])[:12]}",), input_tokens=10, output_tokens=2)


@pytest.fixture
def provider() -> Generator[OpenAIServer]:
    """Where the worker finds its models."""
    with running_openai_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.url)
        patch.setenv("OPENAI_API_KEY", "sk-of-the-tests-0123456789")
        server.otherwise = window
        yield server


@pytest.fixture
async def served(
    provider: OpenAIServer, postgres: PostgresServer, temporal_server: RunningTemporal
) -> AsyncGenerator[System]:
    """A tenant's view of Baton whose worker asks ``provider``."""
    dsn = await postgres.create_database()
    async with running_system(dsn, temporal_server, tools_modules=("tests.support.tools",)) as running:
        yield running


async def new_agent(system: System, *tools: str, limits: JsonObject | None = None, **settings: Any) -> UUID:
    new = Agent(
        system.who.tenant_id,
        uuid4(),
        0,
        f"agent-{uuid4()}",
        MODEL,
        tools=tools,
        limits=limits or {},
        model_settings=settings,
    )
    async with system.baton.pool.connection() as connection:
        return (await agents.insert(connection, new)).id


async def set_window(system: System, task: UUID, tokens: int) -> None:
    """Give the task's agent another window."""
    async with system.baton.pool.connection() as connection:
        await connection.execute(
            "UPDATE agents a SET model_settings = model_settings || jsonb_build_object('context_window', $2::integer)"
            "  FROM tasks t WHERE t.id = $1 AND a.id = t.agent_id",
            task,
            tokens,
        )


def filler(number: int) -> str:
    """A message of 1 KiB, unlike any other."""
    return f"message {number:04}: " + f"{random.Random(number).getrandbits(4000):x}"[:1000]


async def compacted(system: System, task: UUID) -> list[ContextCompacted]:
    log = await system.log(await system.execution_of(task))
    return [event.body for event in log if isinstance(event.body, ContextCompacted)]


async def test_a_long_conversation_goes_on(served: System, provider: OpenAIServer) -> None:
    task = await served.start("Keep a list.", await new_agent(served, context_window=TOKENS))
    for turn in range(2, 42):
        await served.until(task, "succeeded")
        fact = "The code word is PERIWINKLE." if turn == 3 else filler(turn)
        await served.send(task, fact, pinned=turn == 3)
    row = await served.until(task, "succeeded")
    assert (row["turn"], row["result"]) == (41, "Noted message 0041")
    assert max(sizes(provider)) <= WINDOW
    made = await compacted(served, task)
    assert len(made) > 2
    last = [asked.body for asked in provider.asked if not is_summary(asked.body)][-1]
    assert "PERIWINKLE" in spoken(last)
    assert SUMMARY in spoken(last)
    assert filler(10) not in spoken(last)
    assert f"Turns 1 to {made[-1].left_out.last_turn}" in spoken(last)
    usages = [event.usage for event in made if event.usage]
    assert {(usage.input_tokens, usage.output_tokens, usage.calls) for usage in usages} == {(100, 20, 1)}
    assert len(usages) == len(made)
    async with served.baton.pool.connection() as connection:
        used = await connection.fetchval("SELECT sum(input_tokens) FROM steps WHERE task_id = $1", task)
    assert used == 41 * 10 + len(made) * 100

    # undone and redone, once there is room for all of it
    await set_window(served, task, 100_000)
    number = made[-1].number
    address = TaskById(task)
    for made_number in range(number, 0, -1):
        await compactions.undo_compaction(served.baton, served.who, address, made_number)
    provider.otherwise = lambda body: Reply(("All of it.",))
    await served.send(task, "What did I say?")
    await served.until(task, "succeeded")
    everything = spoken(provider.asked[-1].body)
    assert all(filler(turn) in everything for turn in (2, *range(4, 42)))
    assert SUMMARY not in everything
    await compactions.redo_compaction(served.baton, served.who, address, number)
    await served.send(task, "And now?")
    await served.until(task, "succeeded")
    again = spoken(provider.asked[-1].body)
    assert SUMMARY in again
    assert filler(10) not in again
    assert "PERIWINKLE" in again
    assert "What did I say?" in again


async def test_a_summary_that_was_asked_for_is_made_by_the_next_step(served: System, provider: OpenAIServer) -> None:
    task = await served.start("Keep a list.", await new_agent(served))  # whose window would hold all of it
    for turn in range(2, 8):
        await served.until(task, "succeeded")
        await served.send(task, filler(turn))
    await served.until(task, "succeeded")
    await compactions.ask_for_compaction(served.baton, served.who, TaskById(task))
    assert await compacted(served, task) == []
    await served.send(task, filler(8))
    row = await served.until(task, "succeeded")
    (made,) = await compacted(served, task)
    assert (made.reason, made.by, made.summary) == ("requested", served.who.author.name, SUMMARY)
    assert (row["result"], row["compaction_asked"], made.turn) == ("Noted message 0008", None, 8)
    last = spoken(provider.asked[-1].body)
    assert SUMMARY in last
    assert (filler(2) in last, filler(8) in last) == (False, True)
    await served.send(task, filler(9))
    await served.until(task, "succeeded")
    assert len(await compacted(served, task)) == 1


async def test_a_turn_of_many_calls_goes_on(served: System, provider: OpenAIServer) -> None:
    calls = 60

    def call_again(body: Json) -> Reply | Refusal:
        answer = window(body)
        if isinstance(answer, Refusal) or is_summary(body):
            return answer
        done = sum("gather" in spoken(asked.body) and not is_summary(asked.body) for asked in provider.asked)
        if done > calls:
            return Reply(("Done.",))
        return Reply((f"step {done}",), (Called("gather", '{"kilobytes": 1}', f"call_{done}"),))

    provider.otherwise = call_again
    agent = await new_agent(served, "gather", limits={"max_calls_per_turn": 500}, context_window=TOKENS)
    task = await served.start("gather all of it", agent)
    row = await served.until(task, "succeeded", seconds=120)
    assert (row["result"], row["turn"]) == ("Done.", 1)
    bodies = [asked.body for asked in provider.asked]
    assert max(sizes(provider)) <= WINDOW
    assert all("gather all of it" in spoken(body) for body in bodies)
    assert len(await compacted(served, task)) > 1
    log = await served.log(await served.execution_of(task))
    assert sum(isinstance(event.body, StepCompleted) for event in log) == calls + 1


async def test_many_results_of_one_step_are_shortened(served: System, provider: OpenAIServer) -> None:
    calls = tuple(Called("gather", '{"kilobytes": 4}', f"call_{number}") for number in range(12))
    provider.reply(Reply(("All at once.",), calls))
    task = await served.start("Gather.", await new_agent(served, "gather", context_window=TOKENS))
    await served.until(task, "succeeded")
    last = provider.asked[-1].body
    assert size_of(last) <= WINDOW
    assert spoken(last).count("are left out") == len(calls)


async def test_an_overflow_that_nobody_foresaw(served: System, provider: OpenAIServer) -> None:
    task = await served.start("Keep a list.", await new_agent(served))
    for turn in range(2, 60):
        await served.until(task, "succeeded")
        if await compacted(served, task):
            break
        await served.send(task, filler(turn))
    assert sum(size > WINDOW for size in sizes(provider)) == 1
    for turn in range(60, 90):  # what was refused once is not tried again
        await served.send(task, filler(turn))
        await served.until(task, "succeeded")
    assert sum(size > WINDOW for size in sizes(provider)) == 1
    first, *others = await compacted(served, task)
    assert (first.reason, {one.reason for one in others}) == ("overflow", {"window"})


async def test_an_overflow_with_nothing_to_leave_out_asks(served: System, provider: OpenAIServer) -> None:
    agent = await new_agent(served, context_window=TOKENS)
    task, stopped = [await served.start("x" * 3 * WINDOW, agent) for _ in range(2)]
    for one in (task, stopped):
        (question,) = (await served.until(one, "waiting", seconds=20))["open_questions"]
        assert "(the task 72 KiB)" in question["text"]
    await served.send(task, "Go on, and be brief.")
    row = await served.until(task, "succeeded")
    assert row["result"] == "Noted [This answer"
    last = provider.asked[-1].body
    assert size_of(last) <= WINDOW
    assert "are left out" in spoken(last)
    await served.send(stopped, "Stop")
    row = await served.until(stopped, "failed")
    assert row["error_code"] == "context_overflow"


async def test_a_transcript_that_is_too_long_to_be_loaded_is_compacted(
    provider: OpenAIServer, postgres: PostgresServer, temporal_server: RunningTemporal
) -> None:
    dsn = await postgres.create_database()
    async with running_system(dsn, temporal_server, transcript_max_bytes=16 * 1024) as system:
        task = await system.start("Keep a list.", await new_agent(system))  # whose window would hold all of it
        for turn in range(2, 32):
            await system.until(task, "succeeded")
            await system.send(task, filler(turn))
        row = await system.until(task, "succeeded")
        assert (row["turn"], row["result"]) == (31, "Noted message 0031")
        assert {event.reason for event in await compacted(system, task)} == {"window"}
        assert max(sizes(provider)) < WINDOW


async def test_a_summary_that_fails_is_replaced_by_a_digest(served: System, provider: OpenAIServer) -> None:
    def no_summaries(body: Json) -> Reply | Refusal:
        return Refusal(400, "invalid", "No.") if is_summary(body) else window(body)

    provider.otherwise = no_summaries
    task = await served.start("Keep a list.", await new_agent(served, context_window=TOKENS))
    for turn in range(2, 20):
        await served.until(task, "succeeded")
        await served.send(task, filler(turn))
    await served.until(task, "succeeded")
    made = await compacted(served, task)
    assert made
    assert all(one.model == "" and "user: message 00" in one.summary for one in made)
    assert "Turn 3: user: message 0003" in made[0].summary


async def test_another_model_makes_the_summaries(served: System, provider: OpenAIServer) -> None:
    agent = await new_agent(served, context_window=TOKENS, summary_model="openai-chat:gpt-5-nano")
    task = await served.start("Keep a list.", agent)
    for turn in range(2, 20):
        await served.until(task, "succeeded")
        await served.send(task, filler(turn))
    await served.until(task, "succeeded")
    asked = {(is_summary(asked.body), asked.body["model"]) for asked in provider.asked}
    assert asked == {(True, "gpt-5-nano"), (False, "gpt-5-mini")}


async def test_a_question_that_is_open_stays_whole(served: System, provider: OpenAIServer) -> None:
    ask = Called("ask_user", '{"question": "Which of the nine colours?"}', "call_q")
    provider.reply(Reply(("Hm.",), (ask,)))
    task = await served.start("Paint.", await new_agent(served, context_window=TOKENS))
    row = await served.until(task, "waiting")
    question = row["open_questions"][0]["id"]
    await served.send(task, filler(1) * 14)
    await served.until(task, "succeeded")
    await served.send(task, filler(2))
    await served.until(task, "succeeded")
    assert await compacted(served, task)
    bodies = [asked.body for asked in provider.asked if not is_summary(asked.body)]
    assert question
    assert "nine colours" in spoken(bodies[1])


async def test_a_summary_is_interrupted(served: System, provider: OpenAIServer) -> None:
    def slowly(body: Json) -> Reply | Refusal:
        return Reply(("slow ",) * 1000, token_seconds=0.1) if is_summary(body) else window(body)

    provider.otherwise = slowly
    task = await served.start("Keep a list.", await new_agent(served, context_window=TOKENS))
    turn = 2
    while not any(is_summary(asked.body) for asked in provider.asked):
        row = await served.row(task)
        if row["state"] == "succeeded":
            await served.send(task, filler(turn))
            turn += 1
        await asyncio.sleep(0.02)
    provider.otherwise = window
    await served.send(task, "Never mind.", mode="interrupt")
    row = await served.until(task, "succeeded")
    assert row["result"] == "Noted Never mind."
    assert len(await compacted(served, task)) == 1
