"""Whether an answer obeys its question's schema: as text, or as the JSON that the text holds."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.domain.answers import argument_problems, problems
from baton.domain.conversation import Question
from baton.domain.json import JsonObject, JsonValue


def asking(schema: JsonObject | None) -> Question:
    return Question("q", "Well?", schema=schema)


@given(st.text())
def test_without_a_schema_anything_goes(text: str) -> None:
    assert problems(asking(None), text) == ()
    assert problems(asking({}), text) == ()


@pytest.mark.parametrize(
    ("schema", "text", "good"),
    [
        ({"type": "integer", "minimum": 1}, "3", True),
        ({"type": "integer", "minimum": 1}, " 3\n", True),
        ({"type": "integer", "minimum": 1}, "0", False),
        ({"type": "integer"}, "three", False),
        ({"type": "integer"}, '"3"', False),
        ({"type": "string"}, "no JSON at all", True),
        ({"type": "string"}, "3", True),  # text is text, also where it could be read as a number
        ({"type": "string", "minLength": 5}, '"abc"', True),  # five characters as it stands
        ({"type": "string", "minLength": 6}, '"abc"', False),
        ({"enum": ["yes", "no"]}, "yes", True),
        ({"enum": ["yes", "no"]}, '"no"', True),
        ({"enum": ["yes", "no"]}, "Yes", False),
        ({"type": "boolean"}, "true", True),
        ({"type": "null"}, "null", True),
        ({"type": "object", "required": ["a"]}, '{"a": 1}', True),
        ({"type": "object", "required": ["a"]}, '{"b": 1}', False),
        ({"type": "object", "required": ["a"]}, "{", False),
        (False, "anything", False),
    ],
)
def test_examples(schema: JsonObject, text: str, good: bool) -> None:
    assert (problems(asking(schema), text) == ()) is good


def test_a_problem_says_where() -> None:
    schema: JsonObject = {"type": "object", "properties": {"n": {"type": "array", "items": {"type": "integer"}}}}
    assert problems(asking(schema), '{"n": [1, "x", 2, "y"]}') == (
        'n/1: "x" is not of type "integer"',
        'n/3: "y" is not of type "integer"',
    )


def test_a_caller_is_told_of_few_problems() -> None:
    schema: JsonObject = {"type": "array", "items": {"type": "integer"}}
    assert len(problems(asking(schema), json.dumps(["x"] * 100))) == 5


def test_references_within_the_schema_work() -> None:
    inner: JsonObject = {"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}
    assert problems(asking(inner), "1") == ()
    assert problems(asking(inner), "x")


@pytest.mark.parametrize("text", ["1" * 5000, "[" * 100_000, "NaN", "1e999", "\ud800", ""])
def test_strange_answers_are_judged_like_others(text: str) -> None:
    assert problems(asking({"type": "object"}), text)


@pytest.mark.parametrize("levels", [200, 900, 100_000])
def test_an_answer_that_is_deeper_than_any_schema_can_look_is_refused(levels: int) -> None:
    nested: JsonObject = {"type": "array", "uniqueItems": True}
    assert problems(asking(nested), "[" * 50 + "]" * 50) == ()
    assert problems(asking(nested), "[" * levels + "]" * levels)


def test_a_problem_does_not_repeat_a_long_answer() -> None:
    for length in (10_000, 1_000_000):
        (problem,) = problems(asking({"type": "integer"}), "x" * length)
        assert len(problem) < 400


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(.*a){12}b", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_no_pattern_takes_long(pattern: str) -> None:
    """With backtracking each of these outlasts the test."""
    assert problems(asking({"pattern": pattern}), "a" * 10_000 + "!")


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "array", "items": {"oneOf": [{"const": n} for n in range(300)]}}, json.dumps([-1] * 4_000)),
        ({"type": "array", "items": {"anyOf": [{"type": "string"}] * 300}}, json.dumps([1] * 5_000)),
        ({"allOf": [{"type": "integer"}] * 300}, "x" * 15_000),
        ({"allOf": [{"pattern": f"[01]*1[01]{{150}}{n}"} for n in range(20)]}, "01" * 700),
        (
            {"type": "object", "allOf": [{"properties": {"a": True}}] * 50, "unevaluatedProperties": False},
            json.dumps({"b": "x" * 5_000}),
        ),
    ],
)
def test_no_answer_takes_long(schema: JsonObject, text: str) -> None:
    began = time.perf_counter()
    assert problems(asking(schema), text)
    assert time.perf_counter() - began < 10, "some 0.2 s on a small machine"


def test_an_answer_that_would_take_long_is_refused() -> None:
    (problem,) = problems(asking({"items": {"oneOf": [{"const": n} for n in range(400)]}}), json.dumps([1] * 100_000))
    assert "longer than" in problem


def test_a_lone_surrogate_in_json_is_no_json() -> None:
    assert problems(asking({"type": "array"}), '["\\ud800"]')
    assert problems(asking({"type": "string"}), '["\\ud800"]') == ()


def test_a_schema_that_got_past_the_check_refuses_every_answer() -> None:
    assert "circle" in problems(asking({"if": {"minimum": 1}, "then": {"$ref": "#"}}), "1")[0]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_json_of_a_type_is_of_that_type(value: JsonValue) -> None:
    kinds: dict[type, str] = {type(None): "null", bool: "boolean", int: "integer", str: "string", list: "array"}
    assert problems(asking({"type": kinds[type(value)]}), json.dumps(value)) == ()
    assert problems(asking({"const": value}), json.dumps(value)) == ()


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e400", "1" * 400])
def test_what_no_number_can_hold_is_no_number(text: str) -> None:
    assert problems(asking({"type": "number", "multipleOf": 0.5}), text)


def test_arguments_are_judged_like_answers() -> None:
    schema: JsonObject = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert argument_problems(schema, {"n": 3}) == ()
    (wrong,) = argument_problems(schema, {"n": "3"})
    assert wrong.startswith("n: ")
    (missing,) = argument_problems(schema, {})
    assert missing.startswith("arguments: ")
    assert argument_problems({"$ref": "#"}, {"n": "3"}) == (), "what cannot be judged is left to the tool"


def test_no_arguments_take_long() -> None:
    schema: JsonObject = {"type": "object", "additionalProperties": {"pattern": "^(a+)+$"}}
    started = time.process_time()
    (wrong,) = argument_problems(schema, {"text": "a" * 1_000_000 + "b"})
    assert "longer than" in wrong
    argument_problems(schema, {"text": "a" * 20_000 + "b"})
    assert time.process_time() - started < 2
