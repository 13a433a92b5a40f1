"""Models by name."""

import asyncio
import os
import threading
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.providers import Provider, infer_provider
from pydantic_ai.settings import ModelSettings

from baton.agents import scripted
from baton.agents.errors import KEY_MISSING, NOT_INSTALLED, UNKNOWN, ModelFailed
from baton.agents.scripted import ScriptedModel, ScriptedSettings
from baton.agents.sentences import sentence_of
from baton.agents.streaming import CLOCKS, Clocks

READ_TIMEOUT_SECONDS: Final = 300.0
"""How long a provider's connection may be silent; `Clocks`, which count content, run out before."""


class Models:
    """Resolves names to models and keeps them, with one connection pool per provider.

    Names are `scripted` and those of pydantic-ai: `provider:model`, such as `openai:gpt-5`, `anthropic:claude-…`,
    `google:gemini-…`. Keys and addresses come from the environment, as each provider knows them (`OPENAI_API_KEY`,
    `OPENAI_BASE_URL`, …). Where `OPENAI_BASE_URL` is not OpenAI's own, `openai:` speaks Chat Completions, which
    compatible servers know; `openai-responses:` and `openai-chat:` always mean what they say.
    """

    def __init__(
        self,
        *,
        token_seconds: float = scripted.TOKEN_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        clocks: Clocks = CLOCKS,
    ) -> None:
        self._models: dict[str, Model[Any]] = {scripted.NAME: ScriptedModel(token_seconds)}
        self._providers: dict[str, Provider[Any]] = {}
        self._read_timeout_seconds = read_timeout_seconds
        self._clocks = clocks
        self._resolving = threading.Lock()
        self._open = AsyncExitStack()

    async def model(self, name: str) -> Model[Any]:
        """The model called ``name``. Raises ModelFailed where it cannot be had: `model_unknown`, and where it is this
        worker that lacks something, `model_key_missing` or `provider_not_installed`."""
        model = self._models.get(name)
        if model is None:
            model = await asyncio.to_thread(self._resolve, name)  # imports a vendor's SDK: a second or more
            await self._open.enter_async_context(model)
        return model

    def settings(self, model: Model[Any], attempt: int) -> ModelSettings:
        """How ``model`` is asked. Vendor SDKs retry nothing: whoever asks owns retries."""
        if isinstance(model, ScriptedModel):
            return ScriptedSettings(scripted_attempt=attempt)
        return ModelSettings(max_retries=0, timeout=self._read_timeout_seconds)

    def clocks(self, model: Model[Any]) -> Clocks | None:
        """How long ``model`` may be silent; None for the scripted one, which sleeps when it is told to."""
        return None if isinstance(model, ScriptedModel) else self._clocks

    async def close(self) -> None:
        """Close the providers' connections."""
        await self._open.aclose()

    def _resolve(self, name: str) -> Model[Any]:
        with self._resolving:
            if name in self._models:
                return self._models[name]
            if not all(name.partition(":")):
                raise ModelFailed(UNKNOWN, f"{name!r} is no model's name: expected `scripted` or `provider:model`.")
            try:
                model = infer_model(_spoken(name), provider_factory=self._provider)
            except (UserError, ValueError, ImportError) as error:
                raise ModelFailed(_why_unresolved(error), sentence_of(error)) from error
            self._models[name] = model
            return model

    def _provider(self, name: str) -> Provider[Any]:
        if name not in self._providers:
            self._providers[name] = infer_provider(name)
        return self._providers[name]


def _why_unresolved(error: Exception) -> str:
    """Why no model could be made: providers without a key name the variable that they look for."""
    if isinstance(error, ImportError):
        return NOT_INSTALLED
    return KEY_MISSING if isinstance(error, UserError) and "environment variable" in str(error) else UNKNOWN


def _spoken(name: str) -> str:
    """``name`` with the API that its server speaks."""
    provider, _, model = name.partition(":")
    host = urlsplit(os.environ.get("OPENAI_BASE_URL", "")).hostname or "api.openai.com"
    if provider == "openai" and host.rpartition(".openai.com")[1] == "":
        return f"openai-chat:{model}"
    return name
