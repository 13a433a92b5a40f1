"""The models that agents may have: by provider, and what is known of their names."""

import os
from collections.abc import Mapping
from typing import Final

from genai_prices.data_snapshot import get_snapshot
from pydantic_ai.models import known_model_names

#: What pydantic-ai has models of: importing each provider to ask would load every vendor's SDK.
PROVIDERS: Final = frozenset(
    {
        "alibaba",
        "anthropic",
        "azure",
        "azure-responses",
        "bedrock",
        "bedrock-mantle",
        "cerebras",
        "cohere",
        "crusoe",
        "deepseek",
        "fireworks",
        "github",
        "github-copilot",
        "google",
        "google-cloud",
        "google-decisions",
        "groq",
        "heroku",
        "huggingface",
        "litellm",
        "meta",
        "mistral",
        "moonshotai",
        "nebius",
        "ollama",
        "openai",
        "openai-chat",
        "openai-chatgpt",
        "openai-codex",
        "openai-decisions",
        "openai-responses",
        "openrouter",
        "ovhcloud",
        "sambanova",
        "snowflake",
        "system-one",
        "together",
        "typesafe",
        "vercel",
        "vllm",
        "xai",
        "zai",
    }
)
#: What pydantic-ai's gateway calls the APIs that it passes on, beside the providers' own names.
GATEWAY_APIS: Final = frozenset({"chat", "responses", "converse"})

_GATEWAY: Final = "gateway/"
#: Providers that are asked for the models of another one.
_SAME_MODELS: Final = {"openai-chat": "openai", "openai-responses": "openai"}


def known_models() -> Mapping[str, tuple[str, ...]]:
    """By provider, the names that are known of its models; none where they may have any. Takes half a second.

    Lists are never complete: a model of another name may be there all the same. Only those are taken that both
    pydantic-ai and its list of prices have, unless the environment says that the provider's API is somewhere else.
    """
    priced = {provider.id: {model.id for model in provider.models} for provider in get_snapshot().providers}
    listed: dict[str, set[str]] = {}
    for name in known_model_names():
        provider, _, model = name.partition(":")
        listed.setdefault(provider, set()).add(model)
    known: dict[str, tuple[str, ...]] = {_GATEWAY + name: () for name in PROVIDERS | GATEWAY_APIS}
    for provider in PROVIDERS:
        source = _SAME_MODELS.get(provider, provider)
        is_listed = source in priced and source in listed and not _is_elsewhere(source)
        known[provider] = tuple(sorted(priced[source] | listed[source])) if is_listed else ()
    return known


def _is_elsewhere(provider: str) -> bool:
    """Whether the environment names a server that may call its models anything."""
    return f"{provider.upper().replace('-', '_')}_BASE_URL" in os.environ
