"""Is a model asked as its agent's settings say, with the key and at the address that they name, and no others?"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from pydantic_ai.models import Model
from pydantic_ai.models.test import TestModel

from baton.agents import errors
from baton.agents.models import Models
from baton.domain.json import JsonObject, JsonValue
from baton.domain.model_settings import ModelAccess
from tests.support.openai_server import OpenAIServer, Refusal, Reply, running_openai_server
from tests.unit.agents.test_models import ask, failure

ALL: JsonObject = {"temperature": 0.2, "top_p": 0.5, "max_tokens": 77, "seed": 5}
OWN_KEY = "sk-of-the-provider-0123456789"
FIRST_KEY = "first-key-0123456789"
SECOND_KEY = "second-key-0123456789"


@pytest.fixture
def other_server() -> Generator[OpenAIServer]:
    """A second server, which nothing in the environment names."""
    with running_openai_server() as server:
        yield server


@pytest.fixture
async def listed(
    openai_server: OpenAIServer, other_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Models]:
    """Models of a worker whose deployer lists two keys and the other server."""
    monkeypatch.setenv("OPENAI_API_KEY", OWN_KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", OWN_KEY)
    monkeypatch.setenv("FIRST_KEY", FIRST_KEY)
    monkeypatch.setenv("SECOND_KEY", SECOND_KEY)
    models = Models(ModelAccess(("FIRST_KEY", "SECOND_KEY", "NO_SUCH_KEY"), (host(other_server),)))
    yield models
    await models.close()


def host(server: OpenAIServer) -> str:
    return server.url.removeprefix("http://").removesuffix("/v1")


def keys(server: OpenAIServer) -> list[str]:
    """The keys that requests came with, in order."""
    return [
        asked.headers.get("x-api-key") or asked.headers["authorization"].removeprefix("Bearer ")
        for asked in server.asked
    ]


async def test_what_goes_to_chat_completions(models: Models, openai_server: OpenAIServer) -> None:
    await ask(models, "openai-chat:qwen3", None, stop=["END"], extra_body={"cache_salt": "x"}, **ALL)
    (asked,) = openai_server.asked
    wanted = {"temperature": 0.2, "top_p": 0.5, "seed": 5, "stop": ["END"], "cache_salt": "x"}
    assert {name: asked.body.get(name) for name in wanted} == wanted
    assert 77 in (asked.body.get("max_tokens"), asked.body.get("max_completion_tokens"))


async def test_what_goes_to_other_apis(models: Models, openai_server: OpenAIServer) -> None:
    await ask(models, "openai-responses:gpt-5-mini", max_tokens=77, effort="low")
    await ask(models, "anthropic:claude-haiku-4-5", max_tokens=7777, temperature=0.2, stop=["END"])
    responses, messages = (asked.body for asked in openai_server.asked)
    assert (responses["max_output_tokens"], responses["reasoning"]["effort"]) == (77, "low")
    assert (messages["max_tokens"], messages["temperature"], messages["stop_sequences"]) == (7777, 0.2, ["END"])


async def test_two_servers_in_one_worker_each_with_its_key(
    listed: Models, openai_server: OpenAIServer, other_server: OpenAIServer
) -> None:
    model = "openai:gpt-5-mini"
    for _ in range(2):
        await ask(listed, model)
        await ask(listed, model, base_url=other_server.url, api_key="env:FIRST_KEY")
        await ask(listed, model, base_url=other_server.url, api_key="env:SECOND_KEY")
        await ask(listed, model, api_key="env:FIRST_KEY")
    assert keys(openai_server) == [OWN_KEY, FIRST_KEY] * 2
    assert keys(other_server) == [FIRST_KEY, SECOND_KEY] * 2


@pytest.mark.parametrize("model", ["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"])
async def test_a_providers_own_key_goes_to_no_other_server(
    listed: Models, other_server: OpenAIServer, model: str
) -> None:
    url = other_server.url if model.startswith("openai") else other_server.url.removesuffix("/v1")
    await ask(listed, model, base_url=url)
    assert keys(other_server) == ["no-key"]


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"api_key": "env:PATH"}, errors.KEY_NOT_ALLOWED, "PATH"),
        ({"api_key": "env:OPENAI_API_KEY"}, errors.KEY_NOT_ALLOWED, "BATON_MODEL_KEYS"),
        ({"base_url": "http://169.254.169.254/v1"}, errors.HOST_NOT_ALLOWED, "BATON_MODEL_HOSTS"),
        ({"base_url": "http://localhost:1/v1", "api_key": "env:FIRST_KEY"}, errors.HOST_NOT_ALLOWED, "localhost:1"),
        ({"api_key": "env:NO_SUCH_KEY"}, errors.KEY_MISSING, "NO_SUCH_KEY"),
    ],
)
async def test_what_is_not_listed_is_refused(
    listed: Models, openai_server: OpenAIServer, settings: dict[str, JsonValue], code: str, said: str
) -> None:
    failed = await failure(listed, "openai:gpt-5-mini", None, **settings)
    assert (failed.code, failed.retryable) == (code, code == errors.KEY_MISSING)
    assert said in failed.detail
    assert openai_server.asked == []


async def test_an_address_is_no_models_name(listed: Models, other_server: OpenAIServer) -> None:
    failed = await failure(listed, f"huggingface:{other_server.url}", api_key="env:FIRST_KEY")
    assert other_server.asked == []
    assert (failed.code, failed.retryable) == (errors.UNKNOWN, False)


async def test_a_provider_without_an_address_of_its_own(listed: Models, other_server: OpenAIServer) -> None:
    failed = await failure(listed, "deepseek:deepseek-chat", base_url=other_server.url)
    assert (failed.code, failed.retryable) == (errors.SETTING_UNSUPPORTED, False)
    assert "deepseek" in failed.detail


async def test_a_key_that_is_refused_is_not_shown(listed: Models, other_server: OpenAIServer) -> None:
    other_server.reply(Refusal(401, "invalid_api_key", f"{FIRST_KEY} is not known."))
    failed = await failure(listed, "openai:x", base_url=other_server.url, api_key="env:FIRST_KEY")
    assert (failed.code, failed.detail) == (errors.KEY_REJECTED, "[secret] is not known.")


async def test_models_that_make_way_are_closed_and_made_again(openai_server: OpenAIServer) -> None:
    models = Models(ModelAccess(hosts=("127.0.0.1",)), most_models=2)
    urls = [openai_server.url + "/" * n for n in range(4)]
    made = [await models.model("openai:m", {"base_url": url}) for url in urls]
    clients = [model.provider.client for model in made if model.provider is not None]
    assert [client.is_closed() for client in clients] == [True, True, False, False]
    openai_server.reply(Reply(("Still ", "there.")))
    assert (await ask(models, "openai:m", base_url=urls[0])).text == "Still there."
    await models.close()
    assert all(client.is_closed() for client in clients)


async def test_a_model_that_is_there_waits_for_no_other_one(listed: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    there = await listed.model("openai:m", {})
    looks, found = threading.Event(), threading.Event()

    def look(*_: object) -> Model[Any]:
        looks.set()
        found.wait(60)
        return TestModel()

    monkeypatch.setattr("baton.agents.models.infer_model", look)
    other = asyncio.create_task(listed.model("google:slow", {}))
    try:
        await asyncio.to_thread(looks.wait, 60)
        async with asyncio.timeout(30):
            assert await listed.model("openai:m", {}) is there
    finally:
        found.set()
        await other


async def test_a_model_that_makes_way_while_it_answers_answers(openai_server: OpenAIServer) -> None:
    models = Models(ModelAccess(hosts=("127.0.0.1",)), most_models=1)
    model = await models.model("openai:m", {})
    async with model:
        await models.model("openai:other", {"base_url": openai_server.url + "/"})
        assert model.provider is not None
        assert not model.provider.client.is_closed()
    assert model.provider.client.is_closed()
    await models.close()


async def test_providers_that_want_to_be_asked_are_asked_to_cache(models: Models, openai_server: OpenAIServer) -> None:
    await ask(models, "anthropic:claude-haiku-4-5", None)
    await ask(models, "anthropic:claude-haiku-4-5", None, prompt_cache=False)
    await ask(models, "openai-chat:qwen3", None)
    by_default, not_wanted, unknown = (str(asked.body) for asked in openai_server.asked)
    assert "cache_control" in by_default
    assert "cache_control" not in not_wanted
    assert "cache" not in unknown
