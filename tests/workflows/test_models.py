"""Real models' bad minutes, by a provider of the tests: what becomes of the task, and what its person reads."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from activities.failures import NOT_CALLED
from baton.agents.steps import CONTINUATIONS, CONTINUE
from baton.domain.agents import Agent
from baton.domain.events import (
    EventType,
    ReasoningDelta,
    StepCompleted,
    StepFailed,
    StepUsed,
    StepVoided,
    TextDelta,
    ToolCompleted,
)
from baton.domain.ids import TaskById
from baton.domain.json import JsonObject
from baton.domain.plans import parse_plan
from baton.domain.states import SendMode
from baton.service import tasks
from baton.service.agents import AgentChange, create_agent
from baton.service.explain import explain_task
from baton.service.log import get_timeline
from baton.service.starts import start_plan
from baton.store import agents
from tests.support.openai_server import Called, OpenAIServer, Refusal, Reply, running_openai_server
from tests.support.postgres import PostgresServer
from tests.support.system import System, running_system
from tests.support.temporal import RunningTemporal
from tests.support.tools import gathered

MODEL = "openai-chat:gpt-5-mini"


@pytest.fixture(scope="module")
def provider() -> Generator[OpenAIServer]:
    """Where the worker of this module finds its models."""
    with running_openai_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.url)
        patch.setenv("OPENAI_API_KEY", "sk-of-the-tests-0123456789")
        patch.setenv("OTHER_KEY", "key-of-the-other-0123456789")
        yield server


@pytest.fixture(scope="module")
async def served(
    provider: OpenAIServer, postgres: PostgresServer, temporal_server: RunningTemporal
) -> AsyncGenerator[System]:
    """A tenant's view of Baton whose worker asks ``provider``."""
    dsn = await postgres.create_database()
    options: dict[str, Any] = {
        "tools_modules": ("tests.support.tools",),
        "model_keys": ("OTHER_KEY",),
        "model_hosts": ("127.0.0.1",),
    }
    async with running_system(dsn, temporal_server, **options) as running:
        yield running


@pytest.fixture(autouse=True)
def forget(provider: OpenAIServer) -> Generator[None]:
    """Each test has the provider for itself."""
    yield
    provider.replies.clear()
    provider.asked.clear()


def away(refusal: Refusal) -> Callable[[JsonObject], Refusal]:
    """A provider that refuses everything."""

    def refuse(_: JsonObject) -> Refusal:
        return refusal

    return refuse


async def new_agent(system: System, *, tools: tuple[str, ...] = (), **limits: float) -> UUID:
    bounds: JsonObject = dict(limits.items())
    new = Agent(system.who.tenant_id, uuid4(), 0, f"agent-{uuid4()}", MODEL, tools=tools, limits=bounds)
    async with system.baton.pool.connection() as connection:
        return (await agents.insert(connection, new)).id


async def failures(system: System, task: UUID) -> list[StepFailed]:
    log = await system.log(await system.execution_of(task))
    return [event.body for event in log if isinstance(event.body, StepFailed)]


async def asked(system: System, task: UUID) -> str:
    """What a waiting task asks."""
    row = await system.until(task, "waiting")
    (question,) = row["open_questions"]
    return str(question["text"])


async def test_a_result_that_is_no_json_is_asked_for_again(served: System, provider: OpenAIServer) -> None:
    """The provider is asked to hold the model to the schema; the model reads what was wrong."""
    provider.reply(Reply(("three",)), Reply(('{"count":', " 3}")))
    schema: JsonObject = {
        "type": "object",
        "properties": {"count": {"type": "integer"}},
        "required": ["count"],
        "additionalProperties": False,
    }
    task = await served.start("Count.", await new_agent(served), result_schema=schema)
    row = await served.until(task, "succeeded")
    assert (row["result"], row["result_json"], row["model_calls"]) == ('{"count": 3}', True, 2)
    first, second = provider.asked
    assert first.body["response_format"]["json_schema"]["schema"]["required"] == ["count"]
    assert "it is not JSON" in json.dumps(second.body["messages"][-1])


async def test_half_an_answer_is_tried_again(served: System, provider: OpenAIServer) -> None:
    provider.reply(Reply(("Half ", "an "), unfinished=True), Reply(("A whole ", "answer.")))
    task = await served.start("Answer.", await new_agent(served))
    row = await served.until(task, "succeeded")
    assert row["result"] == "A whole answer."
    (failed,) = await failures(served, task)
    assert (failed.code, failed.retrying) == ("model_cut_off", True)
    assert failed.retry_at


async def test_a_wrong_key_fails_at_once_and_says_so(served: System, provider: OpenAIServer) -> None:
    provider.reply(Refusal(401, "invalid_api_key", "Incorrect API key provided: sk-of-the-tests-0123456789."))
    task = await served.start("Answer.", await new_agent(served))
    await served.until(task, "failed", seconds=10)
    view = await tasks.get_task(served.baton, served.who, TaskById(task))
    assert (view.error, view.error_message) == ("model_key_rejected", "Incorrect API key provided: [secret].")
    (failed,) = await failures(served, task)
    assert failed.message == view.error_message
    (reason,) = (await explain_task(served.baton, served.who, TaskById(task))).reasons
    assert "Incorrect API key provided: [secret]." in reason.text


async def test_a_provider_that_is_away_is_waited_for_then_asked_about(served: System, provider: OpenAIServer) -> None:
    provider.otherwise, before = away(Refusal(503, message="Over capacity.")), provider.otherwise
    try:
        task = await served.start("Answer.", await new_agent(served, patience_seconds=0.5))
        assert "has been away for" in await asked(served, task)
        assert {failed.message for failed in await failures(served, task)} == {"Over capacity."}
    finally:
        provider.otherwise = before
    provider.reply(Reply(("Here ", "again.")))
    await served.send(task, "Go on")
    row = await served.until(task, "succeeded")
    assert row["result"] == "Here again."


async def test_a_provider_that_is_not_to_be_waited_for(served: System, provider: OpenAIServer) -> None:
    provider.otherwise, before = away(Refusal(500, message="Away.")), provider.otherwise
    try:
        task = await served.start("Answer.", await new_agent(served, patience_seconds=0.5))
        await asked(served, task)
        await served.send(task, "Stop")
        row = await served.until(task, "failed")
        assert row["error_code"] == "model_unavailable"
    finally:
        provider.otherwise = before


async def test_a_limit_asks_and_goes_on_when_told(served: System, provider: OpenAIServer) -> None:
    provider.reply(*(Reply(("Answer.",), input_tokens=40, output_tokens=10) for _ in range(9)))
    task = await served.start("Answer.", await new_agent(served, max_tokens=100))
    await served.until(task, "succeeded")
    await served.send(task, "And again.")
    await served.until(task, "succeeded")
    await served.send(task, "And again.")
    assert await asked(served, task) == "Used 100 of 100 tokens. Go on with 100 more tokens?"
    assert len(provider.asked) == 2
    await served.send(task, "Go on")
    await served.until(task, "succeeded")
    assert len(provider.asked) == 3
    await served.send(task, "And again.")
    await served.until(task, "succeeded")
    await served.send(task, "And again.")
    assert await asked(served, task) == "Used 200 of 200 tokens. Go on with 100 more tokens?"
    await served.send(task, "Stop")
    row = await served.until(task, "failed")
    assert row["error_code"] == "limit_reached"
    assert len(provider.asked) == 4


async def used_by_events(system: System, task: UUID) -> int:
    """The model calls that the log of ``task`` has."""
    log = await system.log(await system.execution_of(task))
    bodies = [event.body for event in log if isinstance(event.body, StepCompleted | StepFailed | StepUsed)]
    return sum(body.usage.calls for body in bodies if body.usage)


async def test_a_limit_holds_between_continuations_and_the_joined_text_is_the_whole(
    served: System, provider: OpenAIServer
) -> None:
    parts = ("One ", "two ", "three ", "four ")
    provider.reply(*(Reply((part,), finish_reason="length") for part in parts), Reply(("five.",)))
    task = await served.start("Count.", await new_agent(served, max_calls=2))
    assert await asked(served, task) == "Used 2 of 2 model calls. Go on with 2 more model calls?"
    assert len(provider.asked) == 2
    await served.send(task, "Go on")
    async with asyncio.timeout(30):
        while len(provider.asked) < 4:
            await asyncio.sleep(0.02)
    assert await asked(served, task) == "Used 4 of 4 model calls. Go on with 2 more model calls?"
    await served.send(task, "Go on, in words.")
    row = await served.until(task, "succeeded")
    assert (row["result"], row["model_calls"], len(provider.asked)) == ("One two three four five.", 5, 5)
    assert await used_by_events(served, task) == 5
    said = provider.asked[-1].body["messages"]
    assert [m["content"] for m in said if m["role"] == "assistant"] == ["One two ", "three four "]
    assert json.dumps(said[-2:]).count(CONTINUE) == 1
    log = await served.log(await served.execution_of(task))
    assert EventType.STEP_VOIDED not in [event.type for event in log]
    assert "".join(event.body.text for event in log if isinstance(event.body, TextDelta)) == row["result"]
    provider.reply(Reply(("Yes.",)))
    await served.send(task, "Is that all?")
    row = await served.until(task, "succeeded")
    assert row["result"] == "Yes."


async def test_half_a_text_is_no_result_where_the_answer_is_to_stop(served: System, provider: OpenAIServer) -> None:
    provider.reply(Reply(("One ",), finish_reason="length"))
    task = await served.start("Count.", await new_agent(served, max_calls=1))
    assert await asked(served, task) == "Used 1 of 1 model call. Go on with 1 more model call?"
    await served.send(task, "Stop")
    row = await served.until(task, "failed")
    assert (row["error_code"], row["result"], len(provider.asked)) == ("limit_reached", "", 1)


async def test_an_answer_that_was_cut_too_often_is_whole_when_it_is_gone_on_with(
    served: System, provider: OpenAIServer
) -> None:
    parts = tuple(f"{number} " for number in range(CONTINUATIONS + 1))
    provider.reply(*(Reply((part,), finish_reason="length") for part in parts), Reply(("end.",)))
    task = await served.start("Count.", await new_agent(served))
    assert "token limit" in await asked(served, task)
    await served.send(task, "Go on")
    row = await served.until(task, "succeeded")
    assert row["result"] == "".join((*parts, "end."))


async def test_a_limit_holds_before_the_next_model_is_asked(served: System, provider: OpenAIServer) -> None:
    provider.reply(Reply(()), Reply(()), Reply(("Here ", "you are.")))
    change = AgentChange(
        f"agent-{uuid4()}", MODEL, fallbacks=({"model": MODEL, "model_settings": {}},), limits={"max_calls": 1}
    )
    agent = (await create_agent(served.baton, served.who, change)).agent
    task = await served.start("Answer.", agent.id)
    assert await asked(served, task) == "Used 1 of 1 model call. Go on with 1 more model call?"
    assert len(provider.asked) == 1
    assert await used_by_events(served, task) == (await served.row(task))["model_calls"] == 1


async def test_what_was_used_is_what_the_events_say(served: System, provider: OpenAIServer) -> None:
    provider.reply(
        Reply(("One ",), finish_reason="length", input_tokens=10, output_tokens=1),
        Reply(("two ",), unfinished=True),
        Reply(("One ",), finish_reason="length", input_tokens=10, output_tokens=1),
        Reply(("two.",), input_tokens=20, output_tokens=3),
    )
    task = await served.start("Count.", await new_agent(served))
    row = await served.until(task, "succeeded")
    assert row["result"] == "One two."
    log = await served.log(await served.execution_of(task))
    usages = [
        event.body.usage for event in log if isinstance(event.body, StepCompleted | StepFailed) and event.body.usage
    ]
    assert sum(usage.calls for usage in usages) == len(provider.asked) == 4
    assert sum(usage.input_tokens for usage in usages) == 40
    assert sum(usage.output_tokens for usage in usages) == 5
    assert [event.body.finish_reason for event in log if isinstance(event.body, StepCompleted)] == ["stop"]


async def test_an_agent_of_another_server(served: System, provider: OpenAIServer) -> None:
    with running_openai_server() as other:
        settings: JsonObject = {"base_url": other.url, "api_key": "env:OTHER_KEY", "temperature": 0.5}
        change = AgentChange(f"agent-{uuid4()}", "openai:llama-4", model_settings=settings)
        agent = (await create_agent(served.baton, served.who, change)).agent
        other.reply(Reply(("From ", "elsewhere.")))
        task = await served.start("Answer.", agent.id)
        row = await served.until(task, "succeeded")
        (asked,) = other.asked
    assert row["result"] == "From elsewhere."
    assert provider.asked == []
    assert asked.headers["authorization"] == "Bearer key-of-the-other-0123456789"
    assert asked.body["temperature"] == 0.5


async def test_the_event_says_which_model_answered(served: System, provider: OpenAIServer) -> None:
    provider.reply(Refusal(503, message="Over capacity."), Reply(("Here ", "you are.")))
    change = AgentChange(
        f"agent-{uuid4()}", MODEL, fallbacks=({"model": "openai-responses:gpt-5-mini", "model_settings": {}},)
    )
    agent = (await create_agent(served.baton, served.who, change)).agent
    task = await served.start("Answer.", agent.id)
    row = await served.until(task, "succeeded")
    assert (row["result"], await failures(served, task)) == ("Here you are.", [])
    log = await served.log(await served.execution_of(task))
    assert [event.body.model for event in log if isinstance(event.body, StepCompleted)] == [
        "openai-responses:gpt-5-mini"
    ]
    assert [asked.path for asked in provider.asked] == ["/v1/chat/completions", "/v1/responses"]


async def test_an_interrupt_ends_the_wait_for_a_provider(served: System, provider: OpenAIServer) -> None:
    provider.otherwise, before = away(Refusal(503, message="Away.")), provider.otherwise
    try:
        task = await served.start("Answer.", await new_agent(served))
        async with asyncio.timeout(20):
            while not await failures(served, task):
                await asyncio.sleep(0.05)
    finally:
        provider.otherwise = before
    provider.reply(Reply(("Well ", "then.")))
    await served.send(task, "Answer this instead.", mode=SendMode.INTERRUPT)
    row = await served.until(task, "succeeded")
    assert row["result"] == "Well then."
    types = [event.type for event in await served.log(await served.execution_of(task))]
    assert EventType.STEP_FAILED in types


async def test_a_long_result_is_a_preview_and_read_by_the_agent(served: System, provider: OpenAIServer) -> None:
    provider.reply(Reply(calls=(Called("gather", '{"kilobytes": 3000}'),)))
    task = await served.start("Gather.", await new_agent(served, tools=("gather",)))
    row = await served.until(task, "succeeded")  # the provider says what it read last
    assert len(row["result"]) < 4000
    found = re.search(r"artifact ([0-9a-f-]{36})", row["result"])
    assert found is not None
    arguments = json.dumps({"id": found[1], "offset": 2_000_000, "length": 40})
    provider.reply(Reply(calls=(Called("read_artifact", arguments, "call_2"),)))
    await served.send(task, "Go on.")
    row = await served.until(task, "succeeded")
    where = "[Bytes 2000000 to 2000040 of 3072000: the next part begins at 2000040.]"
    assert row["result"] == f"{gathered(3000)[2_000_000:2_000_040]}\n{where}"
    assert max(len(json.dumps(asked.body)) for asked in provider.asked) < 10_000
    offered = [[tool["function"]["name"] for tool in asked.body["tools"]] for asked in provider.asked]
    assert offered[0] == ["ask_user", "gather"]
    assert offered[1:] == [["ask_user", "gather", "read_artifact"]] * 3
    (event,) = [
        event.body
        for event in await served.log(await served.execution_of(task))
        if isinstance(event.body, ToolCompleted) and event.body.artifact_id
    ]
    assert (event.artifact_id, event.artifact_bytes) == (found[1], 3_072_000)


async def test_the_model_is_told_what_is_left_at_the_end_of_what_it_reads(
    served: System, provider: OpenAIServer
) -> None:
    provider.reply(
        Reply((), (Called("clock"),), input_tokens=40, output_tokens=10),
        Reply(("Noon.",), input_tokens=40, output_tokens=10),
    )
    task = await served.start("What time is it?", await new_agent(served, tools=("clock",), max_tokens=1000))
    await served.until(task, "succeeded")
    first, second = (asked.body["messages"] for asked in provider.asked)
    assert first[-1]["content"] == "[Limits: 1,000 of 1,000 tokens left.]"
    assert second[-1]["content"] == "[Limits: 950 of 1,000 tokens left.]"
    assert second[: len(first) - 1] == first[:-1], "what a provider may have cached stays as it was"


async def test_no_tool_is_called_beyond_a_limit(served: System, provider: OpenAIServer) -> None:
    provider.reply(Reply((), (Called("clock"),), input_tokens=40, output_tokens=60), Reply(("I see.",)))
    task = await served.start("What time is it?", await new_agent(served, tools=("clock",), max_tokens=100))
    assert (await asked(served, task)).startswith("Used 100 of 100 tokens.")
    log = await served.log(await served.execution_of(task))
    assert EventType.TOOL_STARTED not in [event.type for event in log]
    (completed,) = (event.body for event in log if isinstance(event.body, ToolCompleted))
    assert (completed.failed, completed.content) == (True, NOT_CALLED.format("max_tokens"))
    await served.send(task, "Go on")
    await served.until(task, "succeeded")


async def test_a_tasks_own_limit_holds_beside_its_agents(served: System, provider: OpenAIServer) -> None:
    provider.reply(*(Reply(("Answer.",), input_tokens=40, output_tokens=10) for _ in range(2)))
    agent = await new_agent(served, max_tokens=1000, max_calls=50)
    task = await served.start("Answer.", agent, limits={"max_calls": 1})
    await served.until(task, "succeeded")
    await served.send(task, "And again.")
    assert await asked(served, task) == "Used 1 of 1 model call. Go on with 1 more model call?"


async def _states(system: System, tasks: Sequence[UUID]) -> list[str]:
    return [str((await system.row(task))["state"]) for task in tasks]


async def test_a_plans_limit_asks_once_and_one_answer_lets_all_go_on(served: System, provider: OpenAIServer) -> None:
    def done(_: JsonObject) -> Reply:
        return Reply(("Done.",), input_tokens=40, output_tokens=10)

    provider.otherwise, before = done, provider.otherwise
    try:
        plan = parse_plan(
            {
                "limits": {"max_tokens": 50},
                "tasks": [
                    {"id": 1, "title": "One", "description": "Do it."},
                    *({"id": n, "title": f"{n}", "description": "Do it.", "depends_on": [1]} for n in (2, 3, 4)),
                ],
            }
        )
        started = await start_plan(served.baton, served.who, plan, queue=served.queue, agent=await new_agent(served))
        _, *others = started.tasks
        async with asyncio.timeout(30):
            while not (waiting := [t for t in others if (await served.row(t))["state"] == "waiting"]):
                await asyncio.sleep(0.05)
        assert len(provider.asked) == 1
        (asking,) = waiting
        assert await asked(served, asking) == "The plan has used 50 of 50 tokens. Go on with 50 more tokens?"
        assert sorted(await _states(served, others)) == ["running", "running", "waiting"]
        await served.send(asking, "Go on")
        async with asyncio.timeout(60):  # whichever looks first takes what was allowed; two that look at once may
            while "succeeded" not in (now := await _states(served, others)) or "waiting" not in now:
                await asyncio.sleep(0.05)
        calls = 1 + now.count("succeeded")
        assert (len(provider.asked), now.count("waiting")) == (calls, 1), "it asks again: once"
        waiting = others[now.index("waiting")]
        said = f"The plan has used {50 * calls} of 100 tokens. Go on with 50 more tokens?"
        assert await asked(served, waiting) == said
        await served.send(waiting, "Stop")
        for task in [t for t in others if (await served.row(t))["state"] != "succeeded"]:
            row = await served.until(task, "failed", seconds=60)
            assert row["error_code"] == "limit_reached"
        assert len(provider.asked) == calls
    finally:
        provider.otherwise = before


async def test_reasoning_is_streamed_and_no_part_of_the_answer(served: System, provider: OpenAIServer) -> None:
    provider.reply(
        Reply((), reasoning=("Half ", "a thought"), unfinished=True),
        Reply(("Four.",), reasoning=("Two and two ", "is four.")),
    )
    task = await served.start("What is two and two?", await new_agent(served))
    row = await served.until(task, "succeeded")
    assert row["result"] == "Four."
    log = await served.log(await served.execution_of(task))
    thought: dict[int, str] = {}
    for event in log:
        if isinstance(event.body, ReasoningDelta):
            thought[event.body.attempt] = thought.get(event.body.attempt, "") + event.body.text
    assert thought == {1: "Half a thought", 2: "Two and two is four."}
    assert "".join(event.body.text for event in log if isinstance(event.body, TextDelta)) == "Four."
    assert [event.body.attempt for event in log if isinstance(event.body, StepVoided)] == [1]
    timeline, _ = await get_timeline(served.baton, served.who, TaskById(task))
    (step,) = timeline.steps
    assert (step.text, step.reasoning) == ("Four.", "Two and two is four.")
