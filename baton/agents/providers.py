"""Providers: as the worker's environment has them, or with the address and the key that an agent names."""

import inspect
import os
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic_ai.providers import Provider, infer_provider, infer_provider_class

from baton.agents.errors import (
    HOST_NOT_ALLOWED,
    KEY_MISSING,
    KEY_NOT_ALLOWED,
    NOT_INSTALLED,
    SETTING_UNSUPPORTED,
    ModelFailed,
)
from baton.agents.sentences import sentence_of
from baton.domain.json import JsonObject
from baton.domain.model_settings import ModelAccess, base_url, key_name

#: Servers of one's own often want no key, but clients do. The provider's own one is not for them.
_NO_KEY: Final = "no-key"
EXTRAS: Final = ("bedrock", "bedrock-mantle", "cohere", "groq", "huggingface", "mistral", "typesafe", "xai")
"""Baton's extras for providers, named like them; the packages of all others are among the dependencies."""

_URL_PARAMETERS: Final = ("base_url", "api_base", "azure_endpoint")
_KEY_PARAMETERS: Final = ("api_key", "token")


def named_provider(name: str, settings: JsonObject, access: ModelAccess) -> Provider[Any]:
    """The provider called ``name``, with the address and the key that ``settings`` name, if any.

    Raises ModelFailed for those that agents may not name, where this worker lacks the provider's key or package, and
    where the provider takes none; ValueError where there is no such provider.
    """
    url, key = base_url(settings), _key(settings, access)
    if (host := access.refused_host(settings)) is not None:
        raise ModelFailed(HOST_NOT_ALLOWED, f"Agents may not use the host {host}: it is not in BATON_MODEL_HOSTS.")
    try:
        make = infer_provider_class(name)
    except ImportError as error:
        raise ModelFailed(NOT_INSTALLED, _how_to_install(name, error)) from error
    if url is None and key is None:
        try:
            return infer_provider(name)
        except Exception as error:  # each vendor has errors of its own for what its provider lacks
            raise ModelFailed(KEY_MISSING, sentence_of(error)) from error
    arguments: dict[str, str] = {}
    if url is not None:
        arguments[_parameter(make, _URL_PARAMETERS, name, "base_url")] = url
    arguments[_parameter(make, _KEY_PARAMETERS, name, "api_key")] = key or _NO_KEY
    return make(**arguments)


def spoken(name: str, settings: JsonObject) -> str:
    """The model's ``name`` with the API that its server speaks: those that are like OpenAI's know Chat Completions."""
    provider, _, model = name.partition(":")
    url = base_url(settings) or os.environ.get("OPENAI_BASE_URL", "")
    host = urlsplit(url).hostname or "api.openai.com"
    if provider == "openai" and host.rpartition(".openai.com")[1] == "":
        return f"openai-chat:{model}"
    return name


def _key(settings: JsonObject, access: ModelAccess) -> str | None:
    if (refused := access.refused_key(settings)) is not None:
        raise ModelFailed(
            KEY_NOT_ALLOWED, f"Agents may not use the environment variable {refused}: it is not in BATON_MODEL_KEYS."
        )
    if (name := key_name(settings)) is None:
        return None
    if not (key := os.environ.get(name)):
        raise ModelFailed(KEY_MISSING, f"Set the environment variable {name} of the worker.")
    return key


def _how_to_install(provider: str, error: ImportError) -> str:
    if provider in EXTRAS:
        return f"Install Baton on the worker with the extra {provider}: pip install 'baton[{provider}]'."
    return sentence_of(error)


def _parameter(make: type[Provider[Any]], names: tuple[str, ...], provider: str, setting: str) -> str:
    """What the provider calls the setting. A gateway's routes are its own."""
    taken = inspect.signature(make).parameters
    for name in names:
        if name in taken and not provider.startswith("gateway/"):
            return name
    raise ModelFailed(SETTING_UNSUPPORTED, f"The provider {provider} takes no {setting}.")
