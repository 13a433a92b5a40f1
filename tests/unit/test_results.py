"""Is an answer taken for a result exactly where it is JSON that obeys the schema, and is it said what is wrong?"""

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.domain.agents import Agent
from baton.domain.conversation import ReadMessage, RecordedStep, RecordedTurn, Transcript
from baton.domain.errors import InvalidInput, InvalidPlan
from baton.domain.json import JsonObject, JsonValue, unstorable_text
from baton.domain.plans import parse_plan
from baton.domain.results import (
    AS_TEXT,
    TRIES,
    Judged,
    as_text,
    asked_of_model,
    check_result_schema,
    gives_up,
    judge,
    question_after,
    taken_as_text,
)
from baton.domain.states import StepState

COUNT: dict[str, Any] = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 1}},
    "required": ["count"],
    "additionalProperties": False,
}
#: What no rule for answers may be.
BAD: list[dict[str, Any]] = [
    {"type": "objekt"},
    {"$ref": "https://example.com/schema"},
    {"pattern": "(?=a)b"},
    {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    {"enum": [str(n) for n in range(2000)]},
    {"title": "x" * 70_000},
]


@pytest.mark.parametrize(
    "answer",
    ['{"count": 3}', ' {"count":\n3}\n', '```json\n{"count": 3}\n```', '```\n{"count": 3}\n```\n', '{"count": 3.0}'],
)
def test_json_that_obeys_is_a_result(answer: str) -> None:
    judged = judge(COUNT, answer)
    assert judged.is_json
    assert judged.value == {"count": 3}
    assert json.loads(judged.text) == {"count": 3}
    assert judged.refused == ""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("three", "it is not JSON"),
        ("", "it is not JSON"),
        ('Here it is: {"count": 3}', "it is not JSON"),
        ('{"count": NaN}', "it is not JSON"),
        ('{"count": "3"}', "count: "),
        ('{"count": 0}', "count: "),
        ('{"count": 3, "more": 1}', "more"),
        ("{}", "count"),
        ("[" * 200 + "]" * 200, "nested too deep"),
        ('{"count": 1}' + " " * 5_000_000 + "x", "longer than"),
    ],
)
def test_what_is_wrong_is_said(answer: str, told: str) -> None:
    judged = judge(COUNT, answer)
    assert told in judged.refused
    assert (judged.is_json, judged.text) == (False, answer)


def test_what_no_database_can_hold_is_no_result() -> None:
    assert "NUL" in judge({"type": "string"}, '"a\\u0000b"').refused
    assert "64 bits" in judge({"type": "integer"}, str(2**70)).refused


def test_what_is_wrong_can_be_stored_and_is_short() -> None:
    """It names members of the answer, which may be called anything."""
    numbers: JsonObject = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert "NUL" in judge(numbers, '{"a\\u0000b": "x"}').refused
    assert unstorable_text(judge(numbers, '{"a\\u0000b": "x"}').refused) is None
    long = judge(numbers, json.dumps({"k" * 5000: "x"})).refused
    assert 'not of type "integer"' in long
    assert len(long) < 700


def test_without_a_schema_text_is_the_result() -> None:
    assert judge({}, '{"a": 1}') == Judged('{"a": 1}')
    assert asked_of_model({}) == ""
    assert json.dumps(COUNT) in asked_of_model(COUNT)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('ab \n"`é'), st.lists))
def test_any_json_comes_back_as_it_was(value: JsonValue) -> None:
    judged = judge({"$comment": "anything"}, json.dumps(value))
    assert judged.is_json
    assert judged.value == value
    assert as_text(value) is None or isinstance(as_text(value), str)


@pytest.mark.parametrize("schema", BAD)
def test_a_schema_that_nothing_can_be_checked_against_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_result_schema(schema)
    assert refused.value.where == ("body", "result_schema")
    plan: Any = {"title": "P", "tasks": [{"id": 1, "title": "a", "description": "b", "result_schema": schema}]}
    with pytest.raises(InvalidPlan) as wrong:
        parse_plan(plan)
    assert (wrong.value.task, wrong.value.where) == (1, ("body", "plan", "tasks", 0, "result_schema"))


def test_a_plan_says_what_results_must_be() -> None:
    def plan(*schemas: Any) -> Any:
        tasks: Any = [
            {"id": n, "title": "a", "description": "b", "result_schema": schema} for n, schema in enumerate(schemas, 1)
        ]
        return parse_plan({"title": "P", "tasks": tasks})

    assert [task.result_schema for task in plan(COUNT, {}, None).tasks] == [COUNT, {}, None]
    deep: Any = {}
    for _ in range(5000):
        deep = {"not": deep}
    for wrong in ("object", True, [COUNT], deep):
        with pytest.raises(InvalidPlan, match="task 2: result_schema"):
            plan(COUNT, wrong)
    assert len(plan(*[{"const": n % 100} for n in range(300)]).tasks) == 300
    with pytest.raises(InvalidPlan, match="at most 100 different"):
        plan(*[{"const": n} for n in range(101)])


def turn(number: int, *refused: str, messages: int = 0) -> RecordedTurn:
    """A turn of answers, each with why it was none."""
    steps = [RecordedStep(n, StepState.RECORDED, f"{number}.{n}", {}, refused=why) for n, why in enumerate(refused)]
    told = tuple(ReadMessage(uuid4(), n, "m") for n in range(messages))
    return RecordedTurn(number, told, tuple(steps))


def transcript(*turns: RecordedTurn) -> Transcript:
    agent = Agent(uuid4(), uuid4(), 1, "ada", "scripted")
    return Transcript(agent, "t", "d", (), turns, result_schema=COUNT)


def test_the_task_asks_after_some_tries_of_one_turn() -> None:
    assert question_after(transcript(turn(1, *["no"] * (TRIES - 1))), TRIES - 1) is None
    assert question_after(transcript(turn(1, *["no"] * TRIES), turn(2, "no")), 1) is None
    asked = question_after(transcript(turn(1), turn(2, "no", "no", "count: is missing" + "x" * 9000)), TRIES)
    assert asked is not None
    assert "count: is missing" in asked
    assert len(asked) < 700


def test_the_last_answer_is_taken_where_that_alone_was_said() -> None:
    told = transcript(turn(1, "no", "no", "no"), turn(2, messages=1))
    for word in (AS_TEXT, "take it as text."):
        assert taken_as_text(told, word) == "1.2"
    assert taken_as_text(told, "Go on trying") is None
    assert taken_as_text(transcript(turn(1, "no"), turn(2, messages=2)), AS_TEXT) is None
    assert taken_as_text(transcript(turn(1, ""), turn(2, messages=1)), AS_TEXT) is None
    assert taken_as_text(transcript(turn(1, "no"), turn(2), turn(3, messages=1)), AS_TEXT) == "1.0"
    assert taken_as_text(transcript(turn(1, "no"), turn(2, ""), turn(3, messages=1)), AS_TEXT) is None
    assert gives_up("give up!")
    assert not gives_up("do not give up")
