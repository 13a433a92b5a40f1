"""Models for tests, and a local OpenAI-compatible server."""

from collections.abc import AsyncGenerator, Generator

import pytest

from baton.agents.models import Models
from tests.support.openai_server import OpenAIServer, running_openai_server
from tests.unit.agents.backends import Backend, OpenAIBackend, ScriptedBackend


@pytest.fixture(scope="session")
def shared_openai_server() -> Generator[OpenAIServer]:
    """The server's thread, kept for all tests."""
    with running_openai_server() as server:
        yield server


@pytest.fixture
def openai_server(shared_openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Generator[OpenAIServer]:
    """The server where `openai:`, `anthropic:` and `google:` models are found."""
    monkeypatch.setenv("OPENAI_BASE_URL", shared_openai_server.url)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", shared_openai_server.url.removesuffix("/v1"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", shared_openai_server.url.removesuffix("/v1"))
    monkeypatch.setenv("GOOGLE_API_KEY", "not-a-key")
    yield shared_openai_server
    shared_openai_server.replies.clear()
    shared_openai_server.asked.clear()
    shared_openai_server.hung_up = 0


@pytest.fixture
async def models() -> AsyncGenerator[Models]:
    """All models; the scripted one streams as fast as it can."""
    models = Models(token_seconds=0)
    yield models
    await models.close()


@pytest.fixture(params=["scripted", "openai:gpt-5-mini", "openai-responses:gpt-5-mini"])
def backend(request: pytest.FixtureRequest, openai_server: OpenAIServer, models: Models) -> Backend:
    """Each kind of model in turn."""
    name: str = request.param
    return ScriptedBackend(models) if name == "scripted" else OpenAIBackend(models, name, openai_server)
