"""Are tools called with what fits them, and are questions what they must be?"""

import asyncio
import threading
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from baton.agents.tools import (
    ASK_USER,
    AskUserQuestion,
    CallContext,
    ToolFailed,
    ToolRunner,
    ToolsUnusable,
    add_tool,
    call_tool,
    current_call,
    definitions,
    load_tools,
    missing_tool,
    question_of,
    registry,
    rules_of,
    tool,
    tool_names,
)
from baton.domain.approvals import Policy
from baton.domain.artifacts import ArtifactPart
from baton.domain.conversation import ToolCall
from baton.domain.json import JsonObject
from tests.unit.agents.talk import an_agent


def ask(**arguments: Any) -> AskUserQuestion:
    return question_of(ToolCall("1", ASK_USER, arguments))


def refused(**arguments: Any) -> str:
    with pytest.raises(ToolFailed) as caught:
        ask(**arguments)
    assert str(caught.value) == caught.value.code == "tool_bad_arguments"
    return caught.value.message


async def test_the_clock() -> None:
    now = await call_tool("clock", {})
    assert isinstance(now, str)
    assert now.endswith("+00:00")


async def test_unknown_tools_are_a_result() -> None:
    with pytest.raises(ToolFailed) as caught:
        await call_tool("teleport", {})
    assert caught.value.code == "tool_unknown"
    assert "clock" in caught.value.message


async def test_arguments_that_do_not_fit_are_a_result() -> None:
    with pytest.raises(ToolFailed) as caught:
        await call_tool("clock", {"zone": "CET"})
    assert caught.value.code == "tool_bad_arguments"
    assert "zone" in caught.value.message


def add(first: int, second: int = 1) -> dict[str, object]:
    """Add two numbers.

    Args:
        first: The one.
        second: The other.
    """
    if second == 0:
        raise ToolFailed("nothing_to_add", "There is nothing to add.")
    return {"sum": first + second, "thread": threading.current_thread() is threading.main_thread(), "nul": "\x00"}


async def later(text: str) -> str:
    """Say it later."""
    await asyncio.sleep(0)
    return text


@tool(changes_things=False)
def whose() -> list[str]:
    """Say which call this is, from a thread."""
    return [current_call().key, str(current_call().task_id)]


@pytest.fixture
def more_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_TOOLS", dict(registry._TOOLS))  # pyright: ignore[reportPrivateUsage]
    registry.definitions.cache_clear()
    for function in (add, later, whose):
        add_tool(function)


@pytest.mark.usefixtures("more_tools")
async def test_plain_functions_run_in_a_thread_and_give_json() -> None:
    assert await call_tool("add", {"first": "3"}) == {"sum": 4, "thread": False, "nul": "\ufffd"}


@pytest.mark.usefixtures("more_tools")
async def test_async_functions() -> None:
    assert await call_tool("later", {"text": "so"}) == "so"


class NoNotes:
    """Notes that nobody has written."""

    async def write(self, name: str, text: str) -> bool:
        return len(name) + len(text) < 10

    async def read(self) -> dict[str, str]:
        return {}


class NoArtifacts:
    """An execution of which no tool gave much."""

    async def read(self, artifact_id: UUID, offset: int, length: int) -> ArtifactPart | None:
        return None


def context(key: str = "key") -> CallContext:
    return CallContext(uuid4(), uuid4(), uuid4(), key, NoNotes(), NoArtifacts())


@pytest.mark.usefixtures("more_tools")
async def test_a_tool_knows_its_call_and_no_other() -> None:
    one, two = context("one"), context("two")
    calls = [call_tool("whose", {}, one), call_tool("whose", {}, two)]
    assert await asyncio.gather(*calls) == [["one", str(one.task_id)], ["two", str(two.task_id)]]
    with pytest.raises(LookupError):
        current_call()


async def test_notes() -> None:
    assert await call_tool("write_note", {"name": " a ", "text": "b"}, context()) == "Noted: a"
    with pytest.raises(ToolFailed, match="note_refused"):
        await call_tool("write_note", {"name": "a", "text": "b" * 10}, context())
    refused: list[JsonObject] = [
        {"name": " ", "text": "b"},
        {"name": "a", "text": ""},
        {"name": "a" * 101, "text": "b"},
    ]
    for wrong in refused:
        with pytest.raises(ToolFailed, match="tool_bad_arguments"):
            await call_tool("write_note", wrong, context())
    assert await call_tool("read_notes", {}, context()) == {}


@pytest.mark.usefixtures("more_tools")
def test_tools_of_a_deployer_are_added_once() -> None:
    names = load_tools(["tests.support.tools"])
    assert {"record", "look", "linger", "refuse", "fail", "add"} <= set(names)
    assert load_tools(["tests.support.tools"]) == names == tool_names()
    rules = rules_of(replace(an_agent(tools=("record", "look")), policies={"record": "ask"}))
    assert {"look", "clock", "read_notes", "whose"} <= set(rules.harmless)
    assert not {"record", "write_note", "add"} & set(rules.harmless), "what has no mark changes things"
    assert (rules.policy("record", ()), rules.policy("look", ())) == (Policy.ASK, Policy.ALLOW)


@pytest.mark.parametrize("misspelt", ["recrd", "Record"])
def test_a_policy_that_names_no_tool_frees_none(misspelt: str) -> None:
    load_tools(["tests.support.tools"])
    agent = an_agent(tools=("record", "look"))
    rules = rules_of(replace(agent, policies={misspelt: "deny"}))
    assert (rules.policy("record", ()), rules.policy("look", ())) == (Policy.ASK, Policy.ALLOW)
    for policies, expected in (({"*": "allow"}, Policy.ALLOW), ({"*": "allow", misspelt: "deny"}, Policy.ASK)):
        assert rules_of(replace(agent, policies=policies)).policy("record", ()) is expected


@pytest.mark.usefixtures("more_tools")
def test_what_cannot_be_a_tool() -> None:
    def ask_user() -> None: ...

    def add() -> None: ...

    unfit = ((ask_user, "a tool's name"), (add, "two tools called 'add'"), (lambda: None, "a tool's name"))
    for function, reason in unfit:
        with pytest.raises(ToolsUnusable, match=reason):
            add_tool(function)
    for module, reason in (("no.such.module", "cannot be imported"), ("tests.support.postgres", "no function")):
        with pytest.raises(ToolsUnusable, match=reason):
            load_tools([module])


def test_an_agent_has_the_tools_that_it_was_given() -> None:
    agent = an_agent(tools=("clock", "unheard_of"))
    assert missing_tool(agent, "clock") is None
    for name in ("write_note", "unheard_of", "ask_user "):
        missing = missing_tool(agent, name)
        assert missing is not None
        assert missing.message == f"There is no tool {name!r}. Tools: clock, ask_user."


@pytest.mark.usefixtures("more_tools")
async def test_a_tool_may_say_that_it_failed() -> None:
    with pytest.raises(ToolFailed, match="nothing_to_add"):
        await call_tool("add", {"first": 1, "second": 0})


@pytest.mark.usefixtures("more_tools")
def test_signature_and_docstring_are_the_schema() -> None:
    (_, tool) = definitions(("add", "unheard_of"))
    assert tool.description == "Add two numbers."
    assert tool.parameters_json_schema["properties"]["first"] == {"type": "integer", "description": "The one."}
    assert tool.parameters_json_schema["required"] == ["first"]


def test_every_agent_can_ask() -> None:
    (tool,) = definitions(())
    assert tool.name == ASK_USER
    assert set(tool.parameters_json_schema["properties"]) == {
        "question",
        "choices",
        "schema",
        "deadline_seconds",
        "default",
        "remind_after_seconds",
        "escalate_after_seconds",
    }
    assert [item.name for item in definitions(("clock", "clock"))] == [ASK_USER, "clock"]


def test_a_question_with_everything() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {"size": {"$ref": "#/$defs/size"}},
        "$defs": {"size": {"minimum": 1}},
    }
    question = ask(
        question="Which?",
        choices=["a", 2, "a"],
        schema=schema,
        deadline_seconds=60,
        default="a",
        remind_after_seconds=10,
        escalate_after_seconds=20.5,
    )
    assert question == AskUserQuestion("Which?", ("a", "2"), schema, 60.0, "a", 10.0, 20.5)


def test_a_bare_question() -> None:
    assert ask(question="Which?") == AskUserQuestion("Which?")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "question"),
        ({"question": "  "}, "text is missing"),
        ({"question": None}, "question"),
        ({"question": "?", "choices": "a"}, "choices"),
        ({"question": "?", "choices": [""]}, "choices.0"),
        ({"question": "?", "colour": "red"}, "colour"),
        ({"question": "?", "deadline_seconds": 0}, "deadline_seconds"),
        ({"question": "?", "deadline_seconds": "soon"}, "deadline_seconds"),
        ({"question": "?", "deadline_seconds": 1e300}, "deadline_seconds"),
        ({"question": "?", "schema": "string"}, "schema"),
        ({"INVALID_JSON": "{"}, "INVALID_JSON"),
    ],
)
def test_malformed_questions_are_explained(arguments: dict[str, Any], reason: str) -> None:
    assert reason in refused(**arguments)


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def doubling(levels: int) -> dict[str, Any]:
    """Small as it stands, 2 ** ``levels`` parts with its references written out."""
    parts = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**parts, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"}


def chain(links: int) -> dict[str, Any]:
    parts: dict[str, Any] = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(links)}
    return {"$defs": {**parts, f"d{links}": {}}, "$ref": "#/$defs/d0"}


def unevaluated(levels: int) -> dict[str, Any]:
    """Each level judges anew what is below it, twice."""
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"allOf": [schema], "unevaluatedProperties": False}
    return schema


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "strng"}, "no valid JSON Schema"),
        ({"pattern": "("}, "cannot be used"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "draft 2020-12"),
        ({"$ref": "http://127.0.0.1:1/schema.json"}, "nothing else is fetched"),
        ({"properties": {"a": {"$ref": "other.json"}}}, "nothing else is fetched"),
        ({"$dynamicRef": "file:///etc/passwd"}, "not understood"),
        ({"$ref": "#/$defs/missing"}, "does not point to a part"),
        ({"$ref": "#"}, "in a circle"),
        ({"if": {"type": "array"}, "then": {"allOf": [{"$ref": "#"}]}}, "in a circle"),
        ({"type": "array", "items": {"$ref": "#"}}, "in a circle"),
        ({"properties": {"a": {"not": {"$ref": "#/properties/a"}}}}, "in a circle"),
        ({"$defs": {"a": {"$id": "urn:a", "items": {"$ref": "urn:a"}}}}, "in a circle"),
        ({"dependencies": {"a": {"$ref": "#"}}}, "not understood"),
        ({"$recursiveRef": "#"}, "not understood"),
        ({"$defs": {"a": {"$schema": "http://json-schema.org/draft-04/schema#"}}}, "draft 2020-12"),
        ({"pattern": "(?=a)b"}, "cannot be used"),
        ({"pattern": r"(a)\1"}, "cannot be used"),
        ({"patternProperties": {"(a{1000}){1000}": {}}}, "cannot be used"),
        ({"allOf": [{"pattern": f"^{n}"} for n in range(100)]}, "too large"),
        ({"enum": list(range(1000))}, "more than 1000 values"),
        ({"description": "a" * 70_000}, "longer than"),
        (doubling(20), "too large"),
        (chain(40), "more than 32 times"),
        (unevaluated(10), "too large"),
        ({"const": "\ud800"}, "cannot be used"),
        (deep(40), "nested more than"),
        (deep(100_000), "nested more than"),
    ],
)
def test_schemas_that_cannot_rule_an_answer(schema: dict[str, Any], reason: str) -> None:
    assert reason in refused(question="?", schema=schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"enum": [{"$ref": "http://example.com/this-is-data"}]},
        {"allOf": [{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/x"}], "$defs": {"x": {"type": "string"}}},
        {"type": "object", "properties": {"a": True}, "unevaluatedProperties": False},
        {"pattern": r"^\p{L}+-\d+$"},
        {"properties": {"$ref": {"type": "string"}, "dependencies": {}}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "integer"},
        {"$id": "https://example.com/a", "$ref": "#x", "$defs": {"x": {"$anchor": "x", "type": "string"}}},
        deep(31),
    ],
)
def test_schemas_that_can(schema: dict[str, Any]) -> None:
    assert ask(question="?", schema=schema).schema == schema


def added(name: str, function: Any, **options: Any) -> None:
    """Give a function a name, and make it a tool."""
    function.__name__ = name
    add_tool(tool(**options)(function))


@pytest.mark.usefixtures("more_tools")
async def test_a_call_that_takes_too_long_is_ended() -> None:
    ended = asyncio.Event()

    async def patient() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    added("patient", patient, timeout=0.01)
    with pytest.raises(ToolFailed, match="tool_timed_out") as caught:
        await call_tool("patient", {})
    assert caught.value.message == "patient was ended after 0.01 s without a result."
    assert ended.is_set()


@pytest.mark.usefixtures("more_tools")
async def test_a_timeout_of_the_tool_s_own_is_its_own() -> None:
    async def give_up() -> None:
        raise TimeoutError("no answer from the shop")

    added("give_up", give_up, timeout=60)
    with pytest.raises(TimeoutError, match="no answer from the shop"):
        await call_tool("give_up", {})


@pytest.mark.usefixtures("more_tools")
async def test_fourteen_calls_are_made_at_once() -> None:
    """All of them have to be there before any of them goes on."""
    together = threading.Barrier(14, timeout=30)

    def meet() -> bool:
        together.wait()
        return True

    added("meet", meet)
    runner = ToolRunner()
    assert await asyncio.gather(*(call_tool("meet", {}, None, runner) for _ in range(14))) == [True] * 14


@pytest.mark.usefixtures("more_tools")
async def test_calls_that_hang_are_replaced_up_to_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    """A thread cannot be ended. Others get its slot, unless too many hang; what is no tool has threads of its own."""
    over, begun = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        over.wait(60)

    added("hang", hang, timeout=0.05, concurrency=2)
    runner = ToolRunner(most_strays=3)
    try:
        for number in range(1, 6):
            with pytest.raises(ToolFailed, match="tool_timed_out") as caught:
                await call_tool("hang", {}, None, runner)
            assert "may still come to its end" in caught.value.message
            assert runner.strays("hang") == number
        assert [record.message.endswith("keeps its slot.") for record in caplog.records] == [False] * 3 + [True] * 2
        waiting = asyncio.create_task(call_tool("hang", {}, None, runner))
        assert await call_tool("add", {"first": 1}, None, runner)
        assert await asyncio.to_thread(lambda: True)
        assert not waiting.done(), "both of its slots are held by calls that hang"
    finally:
        over.set()
    assert await waiting is None
    async with asyncio.timeout(30):
        while runner.strays("hang"):
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("more_tools")
async def test_what_would_end_the_process_is_an_error() -> None:
    def leave() -> None:
        raise SystemExit(3)

    def stop() -> None:
        raise StopIteration

    added("leave", leave)
    added("stop", stop)
    for name in ("leave", "stop"):
        with pytest.raises(RuntimeError):
            await call_tool(name, {})


@pytest.mark.parametrize("option", ["timeout", "concurrency"])
def test_a_limit_is_positive(option: str) -> None:
    limits: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=option):
        tool(**limits)


def test_what_may_not_be_repeated_has_no_retries() -> None:
    with pytest.raises(ValueError, match="retries"):
        tool(retries=1, repeatable=False)
    with pytest.raises(ValueError, match="retries"):
        tool(retries=-1)


async def test_a_slot_is_taken_at_once_or_not_at_all() -> None:
    runner = ToolRunner()
    one, other = runner.slot(), runner.slot()
    assert await one.take("t", 1)
    assert await one.take("t", 1), "it has it already"
    assert not await other.take("t", 1)
    assert await other.take("another", None)
    waiting = asyncio.create_task(other.wait("t", 1))
    await asyncio.sleep(0)
    one.leave()
    one.leave()
    await waiting
    assert not await one.take("t", 1)
