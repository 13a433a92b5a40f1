"""Models by name."""

import asyncio
from typing import Any, Final
from weakref import WeakValueDictionary

from cachetools import LRUCache
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.providers import Provider
from pydantic_ai.settings import ModelSettings

from baton.agents import scripted
from baton.agents.errors import NOT_INSTALLED, UNKNOWN, ModelFailed
from baton.agents.model_settings import Clocks, clocks_of, request_settings
from baton.agents.providers import named_provider, spoken
from baton.agents.scripted import ScriptedModel, ScriptedSettings
from baton.agents.sentences import sentence_of
from baton.domain.json import JsonObject
from baton.domain.model_settings import ModelAccess, base_url, context_window, is_address, key_name
from baton.domain.window import DEFAULT_WINDOW

MOST_MODELS: Final = 128
"""The models that are kept; the one that was asked for longest ago makes way."""


def is_paid_for(name: str) -> bool:
    """Whether somebody is paid for what the model called ``name`` answers."""
    return name != scripted.NAME


#: A model's or a provider's name, with the address and the name of the key where an agent says them.
_Address = tuple[str, str | None, str | None]


class Models:
    """Resolves names to models and keeps some, with one connection pool for each provider, address and key.

    Names are `scripted` and those of pydantic-ai: `provider:model`, such as `openai:gpt-5`, `anthropic:claude-…`,
    `google:gemini-…`. Keys and addresses come from the agent's settings, as far as ``access`` allows, else from the
    environment, as each provider knows them (`OPENAI_API_KEY`, `OPENAI_BASE_URL`, …). Where the address is not OpenAI's
    own, `openai:` speaks Chat Completions, which compatible servers know; `openai-responses:` and `openai-chat:` always
    mean what they say.
    """

    def __init__(
        self,
        access: ModelAccess | None = None,
        *,
        token_seconds: float = scripted.TOKEN_SECONDS,
        most_models: int = MOST_MODELS,
    ) -> None:
        self._access = access or ModelAccess()
        self._scripted = ScriptedModel(token_seconds)
        self._models: LRUCache[_Address, Model[Any]] = LRUCache(most_models)
        self._providers: WeakValueDictionary[_Address, Provider[Any]] = WeakValueDictionary()
        self._resolving = asyncio.Lock()

    async def model(self, name: str, settings: JsonObject) -> Model[Any]:
        """The model called ``name``, where an agent's model ``settings`` say. To be entered while it is asked: it may
        make way for others meanwhile.

        Raises ModelFailed where it cannot be had: `model_unknown`, `model_key_not_allowed`, `model_host_not_allowed`,
        `model_setting_unsupported`, and where it is this worker that lacks something, `model_key_missing` or
        `provider_not_installed`.
        """
        if name == scripted.NAME:
            return self._scripted
        address = _address(name, settings)
        if (kept := self._models.get(address)) is not None:
            return kept  # without waiting for others: a provider that looks for its credentials may take seconds
        async with self._resolving:
            model = self._models.get(address)
            if model is None:
                model = await asyncio.to_thread(
                    self._resolve, name, settings
                )  # imports a vendor's SDK: a second or more
                await model.__aenter__()
                if len(self._models) >= self._models.maxsize:
                    _, oldest = self._models.popitem()
                    await oldest.__aexit__(None, None, None)
                self._models[address] = model
        return model

    def settings(self, model: Model[Any], settings: JsonObject, attempt: int) -> ModelSettings:
        """How ``model`` is asked by an agent with these ``settings``."""
        return (
            ScriptedSettings(scripted_attempt=attempt)
            if isinstance(model, ScriptedModel)
            else request_settings(settings)
        )

    def clocks(self, model: Model[Any], settings: JsonObject) -> Clocks | None:
        """How long ``model`` may be silent; None for the scripted one, which sleeps when it is told to."""
        return None if isinstance(model, ScriptedModel) else clocks_of(settings)

    async def window(self, name: str, settings: JsonObject) -> int | None:
        """The tokens that the model called ``name`` reads: as the agent's ``settings`` say, else as far as that is
        known; None for the scripted one, which has to read its whole script. Raises like `model`."""
        if name == scripted.NAME:
            return None
        if (said := context_window(settings)) is not None:
            return said
        return (await self.model(name, settings)).context_window or DEFAULT_WINDOW

    async def close(self) -> None:
        """Close the providers' connections."""
        while self._models:
            _, model = self._models.popitem()
            await model.__aexit__(None, None, None)

    def _resolve(self, name: str, settings: JsonObject) -> Model[Any]:
        if not all(name.partition(":")):
            raise ModelFailed(UNKNOWN, f"{name!r} is not a model's name: expected `scripted` or `provider:model`.")
        if is_address(name):
            raise ModelFailed(UNKNOWN, f"{name!r} is not a model's name but an address: that belongs in `base_url`.")
        try:
            return infer_model(spoken(name, settings), lambda provider: self._provider(provider, settings))
        except (UserError, ValueError) as error:
            raise ModelFailed(UNKNOWN, sentence_of(error)) from error
        except ImportError as error:  # a model's, where it needs more than its provider
            raise ModelFailed(NOT_INSTALLED, sentence_of(error)) from error

    def _provider(self, name: str, settings: JsonObject) -> Provider[Any]:
        address = _address(name, settings)
        if (provider := self._providers.get(address)) is None:
            provider = self._providers[address] = named_provider(name, settings, self._access)
        return provider


def _address(name: str, settings: JsonObject) -> _Address:
    return name, base_url(settings), key_name(settings)
