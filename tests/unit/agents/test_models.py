"""Are real providers reached by name, asked once, and are their errors told by code?"""

import asyncio
import inspect
import re
import socket
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic_ai.providers import infer_provider_class

from baton.agents import errors
from baton.agents.errors import ModelFailed
from baton.agents.models import Models
from baton.agents.providers import EXTRAS
from baton.agents.steps import PartialReply, take_step
from baton.domain.conversation import Attachment, ModelReply, Transcript, Usage
from baton.domain.json import JsonValue
from tests.support.openai_server import Called, OpenAIServer, Refusal, Reply
from tests.unit.agents.talk import Talk, an_agent

APIS = pytest.mark.parametrize("name", ["openai:gpt-5-mini", "openai-responses:gpt-5-mini"])
SECRET = "what the provider says"
#: They have no chat models.
EMBEDDING_PROVIDERS = ("sentence-transformers", "voyageai")


def a_transcript(models: Models, name: str, **settings: JsonValue) -> Transcript:
    talk = Talk(models, "Do it.", model=name, agent=replace(an_agent(), model_settings=settings))
    talk.begin_turn()
    return talk.transcript


async def ask(models: Models, name: str, partial: PartialReply | None = None, **settings: JsonValue) -> ModelReply:
    transcript = a_transcript(models, name, **settings)
    return await take_step(models, transcript, 1, partial or PartialReply(), lambda _: None)


async def failure(models: Models, name: str, partial: PartialReply | None = None, **settings: JsonValue) -> ModelFailed:
    with pytest.raises(ModelFailed) as caught:
        await ask(models, name, partial, **settings)
    assert str(caught.value) == caught.value.code
    return caught.value


@APIS
@pytest.mark.parametrize(
    ("refusal", "code", "retryable"),
    [
        (Refusal(429, "rate_limit_exceeded", SECRET), errors.RATE_LIMITED, True),
        (Refusal(429, "insufficient_quota", SECRET), errors.QUOTA, False),
        (Refusal(500, message=SECRET), errors.UNAVAILABLE, True),
        (Refusal(503, message=SECRET), errors.UNAVAILABLE, True),
        (Refusal(408, message=SECRET), errors.UNAVAILABLE, True),
        (Refusal(409, message=SECRET), errors.UNAVAILABLE, True),
        (Refusal(400, message=SECRET), errors.REFUSED, False),
        (Refusal(401, "invalid_api_key", SECRET), errors.KEY_REJECTED, False),
        (Refusal(413, message=SECRET), errors.OVERFLOW, False),
        (Refusal(400, "context_length_exceeded", SECRET), errors.OVERFLOW, False),
        (Refusal(404, "model_not_found", SECRET), errors.NOT_FOUND, False),
    ],
)
async def test_refusals_have_a_code_and_are_not_retried_here(
    models: Models, openai_server: OpenAIServer, name: str, refusal: Refusal, code: str, retryable: bool
) -> None:
    openai_server.reply(refusal)
    failed = await failure(models, name)
    assert (failed.code, failed.retryable) == (code, retryable)
    assert failed.detail == SECRET
    assert failed.__cause__ is not None
    assert len(openai_server.asked) == 1


@APIS
async def test_the_wait_that_the_provider_asks_for(models: Models, openai_server: OpenAIServer, name: str) -> None:
    openai_server.reply(Refusal(429, headers=(("Retry-After", "17"),)), Refusal(429))
    assert (await failure(models, name)).retry_after_seconds == 17
    assert (await failure(models, name)).retry_after_seconds is None


@APIS
async def test_a_connection_cut_in_the_middle(models: Models, openai_server: OpenAIServer, name: str) -> None:
    openai_server.reply(Reply(("one ", "two ", "three"), cut_after=2))
    partial = PartialReply()
    failed = await failure(models, name, partial)
    assert (failed.code, failed.retryable) == (errors.UNAVAILABLE, True)
    assert partial.text == "one two "
    assert len(openai_server.asked) == 1


@APIS
async def test_an_empty_answer(models: Models, openai_server: OpenAIServer, name: str) -> None:
    openai_server.reply(Reply())
    assert (await failure(models, name)).code == errors.BAD_REPLY


async def test_an_answer_that_was_filtered_away(models: Models, openai_server: OpenAIServer) -> None:
    openai_server.reply(Reply(finish_reason="content_filter"))
    assert (await failure(models, "openai:gpt-5-mini")).code == errors.FILTERED


async def test_nobody_listens(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    failed = await failure(models, "openai:gpt-5-mini")
    assert (failed.code, failed.retryable) == (errors.UNAVAILABLE, True)


async def test_a_request_that_takes_too_long(models: Models, openai_server: OpenAIServer) -> None:
    openai_server.reply(Reply(("one ", "two"), token_seconds=30))
    failed = await failure(models, "openai:gpt-5-mini", timeout_seconds=0.2)
    assert (failed.code, failed.retryable) == (errors.UNAVAILABLE, True)
    assert len(openai_server.asked) == 1


async def test_cancelled_it_hangs_up(models: Models, openai_server: OpenAIServer) -> None:
    openai_server.reply(Reply(tuple("x" * 10_000), token_seconds=0.01))
    heard = asyncio.Event()
    partial = PartialReply()
    transcript = a_transcript(models, "openai:gpt-5-mini")
    step = asyncio.create_task(take_step(models, transcript, 1, partial, lambda _: heard.set()))
    await heard.wait()
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(step, 5)
    async with asyncio.timeout(10):
        while not openai_server.hung_up:
            await asyncio.sleep(0.01)


@APIS
@pytest.mark.parametrize("refusal", [Refusal(500), Refusal(429), Refusal(401)], ids=lambda refusal: str(refusal.status))
async def test_a_request_that_the_provider_refuses_has_used_nothing(
    models: Models, openai_server: OpenAIServer, name: str, refusal: Refusal
) -> None:
    openai_server.reply(refusal)
    partial = PartialReply()
    await failure(models, name, partial)
    assert partial.usage == Usage()


async def test_a_request_that_was_never_answered_is_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(accept, "127.0.0.1")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-tests-0123456789")
    models, partial = Models(), PartialReply()
    step = asyncio.create_task(ask(models, "openai:gpt-5-mini", partial))
    await asyncio.wait_for(asked.wait(), 10)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    await models.close()
    await asyncio.wait_for(gone.wait(), 10)
    server.close()
    assert partial.usage == Usage(calls=1)


async def test_an_error_of_the_listener_is_its_own(models: Models, openai_server: OpenAIServer) -> None:
    openai_server.reply(Reply(("one", "two")))

    def broken(_: str) -> None:
        raise ValueError("not the model's fault")

    with pytest.raises(ValueError, match="not the model's fault"):
        await take_step(models, a_transcript(models, "openai:gpt-5-mini"), 1, PartialReply(), broken)


@APIS
async def test_calls_with_repeated_or_broken_parts_are_put_right(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    calls = (Called("clock", "{}", "same"), Called("clock", "{broken", "same"), Called("ask_user", "[]", "same"))
    openai_server.reply(Reply((), calls), Reply(("Sorry.",)))
    talk = Talk(models, "Do it.", model=name)
    assert await talk.turn() == "Sorry."
    first = talk.answers[0].calls
    assert len({call.id for call in first}) == 3
    assert first[1].arguments == {"INVALID_JSON": "{broken"}
    assert [result.failed for result in talk.steps[0].results] == [False, True, True]


@APIS
async def test_ids_of_calls_are_short_and_plain_whatever_a_provider_sends(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    odd = ("x" * 100_000, "x" * 99_999, "what the user said\n", "é", "call_fine|fc_1")
    openai_server.reply(Reply((), tuple(Called("clock", "{}", call_id) for call_id in odd)), Reply(("Done.",)))
    talk = Talk(models, "Do it.", model=name)
    assert await talk.turn() == "Done."
    ids = [call.id for call in talk.answers[0].calls]
    assert len(set(ids)) == len(odd)
    assert all(re.fullmatch(r"call_[0-9a-f]{32}", call_id) for call_id in ids[:-1])
    assert ids[-1].startswith("call_fine")


@APIS
async def test_what_the_provider_gets_to_see(models: Models, openai_server: OpenAIServer, name: str) -> None:
    openai_server.reply(Reply(("ok",)))
    await ask(models, name)
    (asked,) = openai_server.asked
    assert asked.path == ("/v1/responses" if "responses" in name else "/v1/chat/completions")
    assert asked.body["model"] == "gpt-5-mini"
    assert asked.body["stream"] is True
    tools = [tool.get("function", tool)["name"] for tool in asked.body["tools"]]
    assert tools == ["ask_user", "clock"]
    assert "Be brief." in str(asked.body)
    assert "The task\\n\\nDo it." in str(asked.body)
    assert "baton" not in str(asked.body)


async def test_pictures_reach_the_provider_and_other_files_do_no_harm(
    models: Models, openai_server: OpenAIServer
) -> None:
    talk = Talk(models, "Do it.", model="openai:gpt-5-mini")
    talk.send(
        "look",
        attachments=(
            Attachment("cat.png", "image/png", "https://example.com/cat.png"),
            Attachment("cat.mp4", "video/mp4", "https://example.com/cat.mp4"),
            Attachment("cat.txt", "text/plain", "data:text/plain,meow"),
            Attachment("cat.bin", "application/x-cat", "https://example.com/cat.bin"),
        ),
    )
    openai_server.reply(Reply(("A cat.",)))
    assert await talk.turn() == "A cat."
    content = openai_server.asked[0].body["messages"][-1]["content"]
    assert {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}} in content
    assert "video/mp4" in str(content)
    assert "meow" in str(content)


async def test_compatible_servers_are_asked_for_chat_completions(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: list[str] = []
    for base_url in (openai_server.url, "https://api.openai.com/v1", "https://eu.api.openai.com/v1"):
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        models = Models()
        paths.append(type(await models.model("openai:gpt-5-mini", {})).__name__)
        await models.close()
    assert paths == ["OpenAIChatModel", "OpenAIResponsesModel", "OpenAIResponsesModel"]


@pytest.mark.parametrize("name", ["", "gpt-5", "test", "nobody:gpt-5", "openai:", ":x"])
async def test_unknown_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    failed = await failure(Models(), name)
    assert (failed.code, failed.retryable) == (errors.UNKNOWN, False)


@pytest.mark.parametrize(
    ("name", "key"),
    [("openai:gpt-5", "OPENAI_API_KEY"), ("anthropic:claude-haiku-4-5", "ANTHROPIC_API_KEY"), ("google:gemini-3", "")],
)
async def test_providers_without_a_key(name: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    failed = await failure(Models(), name)
    assert (failed.code, failed.retryable) == (errors.KEY_MISSING, True)
    assert key in failed.detail


async def test_a_models_name_cannot_write_lines_of_its_own_into_the_log(
    models: Models, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may make an agent chooses it, with line breaks if they like."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert (await failure(models, "openai:x\nERROR forged")).code == errors.KEY_MISSING
    assert "cannot ask the model" in caplog.text
    assert not [line for line in caplog.text.splitlines() if line.startswith("ERROR forged")]


async def test_a_provider_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "groq", None)
    monkeypatch.delitem(sys.modules, "pydantic_ai.providers.groq", raising=False)
    failed = await failure(Models(), "groq:llama-3.3-70b-versatile")
    assert (failed.code, failed.retryable) == (errors.NOT_INSTALLED, True)
    assert "pip install 'baton[groq]'" in failed.detail


def test_every_provider_is_installed_or_has_an_extra() -> None:
    pyproject = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]
    extras = pyproject["optional-dependencies"]
    assert [extras[name] for name in EXTRAS] == [[f"pydantic-ai-slim[{name}]"] for name in EXTRAS]
    assert extras["providers"] == [f"baton[{','.join(EXTRAS)}]"]
    code = inspect.getsource(infer_provider_class)
    for provider in set(re.findall(r"'([a-z-]+)'", code)) - {"gateway/", *EXTRAS, *EMBEDDING_PROVIDERS}:
        infer_provider_class(provider)


async def test_a_model_is_made_once(models: Models, openai_server: OpenAIServer) -> None:
    first, second = await asyncio.gather(models.model("openai:a", {}), models.model("openai:a", {}))
    other = await models.model("openai:b", {})
    assert first is second
    assert first.provider is other.provider


@pytest.mark.parametrize(
    ("name", "key", "base_url"),
    [
        ("anthropic:claude-haiku-4-5", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
        ("google:gemini-3-flash", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
    ],
)
async def test_other_vendors_sdks_do_not_retry_either(
    name: str, key: str, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = 0

    async def overloaded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(overloaded, "127.0.0.1", 0)
    monkeypatch.setenv(key, "secret")
    monkeypatch.setenv(base_url, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    models = Models()
    failed = await failure(models, name)
    assert (failed.code, failed.retryable, requests) == (errors.UNAVAILABLE, True, 1)
    await models.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("name", ["anthropic:claude-haiku-4-5", "openai:gpt-5-mini", "google:gemini-3-flash"])
async def test_what_is_left_of_limits_is_no_part_of_what_is_cached(
    models: Models, openai_server: OpenAIServer, name: str
) -> None:
    told = "[Limits: 3 of 5 model calls left.]"
    openai_server.reply(Reply(("ok",)))
    transcript = replace(a_transcript(models, name), remaining=told)
    await take_step(models, transcript, 1, PartialReply(), lambda _: None)
    (asked,) = openai_server.asked
    assert told in str(asked.body)
    if name.startswith("anthropic"):
        *before, last = asked.body["messages"][-1]["content"]
        assert last["text"] == told
        assert before[-1]["cache_control"]["type"] == "ephemeral"
    else:
        assert "cache_control" not in str(asked.body)
