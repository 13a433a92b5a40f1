"""Which model settings may an agent have?"""

import pytest

from baton.domain.errors import InvalidInput
from baton.domain.json import JsonObject, JsonValue
from baton.domain.model_settings import ModelAccess, check_model_settings

LISTED = ModelAccess(("LLM_KEY",), ("llm.example.com", "localhost:11434"))


def problem(settings: JsonObject) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        check_model_settings(settings, LISTED)
    return refused.value


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0, "top_p": 1, "max_tokens": 1, "seed": -(2**63), "effort": "none", "stop": ["a"] * 16},
        {"extra_body": {"a": [1, {"b": None}]}, "first_content_seconds": 600, "between_contents_seconds": 0.5},
        {"timeout_seconds": 30, "api_key": "env:LLM_KEY"},
        {"base_url": "https://llm.example.com/v1"},
        {"base_url": "http://LLM.example.com:8000"},
        {"base_url": "http://localhost:11434/v1"},
    ],
)
def test_what_is_taken(settings: JsonObject) -> None:
    check_model_settings(settings, LISTED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 2.5),
        ("temperature", True),
        ("temperature", None),
        ("top_p", -1),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("seed", 2**63),
        ("effort", "enormous"),
        ("stop", "END"),
        ("stop", []),
        ("stop", ["x"] * 17),
        ("stop", ["x" * 257]),
        ("stop", [1]),
        ("extra_body", []),
        ("extra_body", {"a": "x" * 20_000}),
        ("extra_body", {"messages": []}),
        ("extra_body", {"stream": False}),
        ("base_url", "ftp://llm.example.com"),
        ("base_url", "https://user:pw@llm.example.com"),
        ("base_url", "https://llm.example.com/?a=b"),
        ("base_url", "https://llm.example.com:x"),
        ("base_url", "https://llm.example.com\\@evil.example"),
        ("base_url", "https://[llm"),
        ("base_url", "llm.example.com"),
        ("base_url", "https://evil.example/llm.example.com"),
        ("base_url", "http://localhost/v1"),
        ("base_url", "https://sub.llm.example.com"),
        ("api_key", "sk-0123456789"),
        ("api_key", "env:"),
        ("api_key", "env:PATH"),
        ("api_key", "env:LLM_KEY2"),
        ("first_content_seconds", 0),
        ("between_contents_seconds", 4000),
        ("timeout_seconds", "30"),
        ("summary_model", "huggingface:http://llm.example.com"),
    ],
)
def test_what_is_refused(name: str, value: JsonValue) -> None:
    assert problem({name: value}).where == ("body", "model_settings", name)


def test_a_key_itself_is_not_repeated() -> None:
    assert "sk-0123" not in problem({"api_key": "sk-0123456789"}).message


@pytest.mark.parametrize(("name", "instead"), [("temprature", "temperature"), ("baseUrl", "base_url"), ("color", "")])
def test_unknown_names(name: str, instead: str) -> None:
    refused = problem({name: 1})
    assert (f"did you mean '{instead}'?" in refused.message) is bool(instead)
    assert refused.where[-1] == name


def test_nothing_is_listed_unless_the_deployer_says_so() -> None:
    refused: tuple[JsonObject, ...] = ({"base_url": "http://localhost/v1"}, {"api_key": "env:OPENAI_API_KEY"})
    for settings in refused:
        with pytest.raises(InvalidInput):
            check_model_settings(settings, ModelAccess())
