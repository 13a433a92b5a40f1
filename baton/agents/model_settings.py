"""An agent's model settings as pydantic-ai and our clocks have them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic_ai.settings import ModelSettings

from baton.domain.json import JsonObject
from baton.domain.model_settings import BETWEEN_CONTENTS_SECONDS, FIRST_CONTENT_SECONDS

READ_TIMEOUT_SECONDS: Final = 300.0
"""How long a provider's connection may be silent, at least; `Clocks`, which count content, run out before."""

#: Beyond the longer of the clocks.
_SPARE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """How long a model may say nothing, in seconds: until the first content of a response, and between two.

    Content is text, reasoning or a part of a tool call; what a server sends to keep the connection open is none.
    """

    first: float = FIRST_CONTENT_SECONDS
    between: float = BETWEEN_CONTENTS_SECONDS


def clocks_of(settings: JsonObject) -> Clocks:
    """The clocks that ``settings`` set."""
    first = settings.get("first_content_seconds", FIRST_CONTENT_SECONDS)
    between = settings.get("between_contents_seconds", BETWEEN_CONTENTS_SECONDS)
    return Clocks(cast("float", first), cast("float", between))


def request_settings(settings: JsonObject) -> ModelSettings:
    """What goes to the provider. Vendor SDKs retry nothing: whoever asks owns retries. Providers that want to be asked
    to cache what conversations have in common are asked."""
    clocks = clocks_of(settings)
    silence = max(READ_TIMEOUT_SECONDS, max(clocks.first, clocks.between) + _SPARE_SECONDS)
    asked = {
        _NAMES.get(name, name): _VALUES[name](value) if name in _VALUES else value
        for name, value in settings.items()
        if name not in _OTHERS
    }
    return ModelSettings(**cast("ModelSettings", {"max_retries": 0, "timeout": silence, "cache": True, **asked}))


#: What pydantic-ai calls differently.
_NAMES: Final = {
    "effort": "thinking",
    "prompt_cache": "cache",
    "stop": "stop_sequences",
    "timeout_seconds": "request_timeout",
}
_VALUES: Final[dict[str, Callable[[Any], object]]] = {"effort": lambda effort: False if effort == "none" else effort}
#: What is no part of a request.
_OTHERS: Final = frozenset(
    {"base_url", "api_key", "first_content_seconds", "between_contents_seconds", "context_window", "summary_model"}
)
