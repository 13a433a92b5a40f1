"""How an agent's model is asked: kept with the agent as data, under names that fit every provider."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from baton.domain.errors import InvalidInput
from baton.domain.json import INT64_MAX, INT64_MIN, JsonObject, JsonValue, deeper_than
from baton.domain.likeness import meant

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FIRST_CONTENT_SECONDS: Final = 120.0
"""What `first_content_seconds` is where the agent does not say."""
BETWEEN_CONTENTS_SECONDS: Final = 60.0
"""What `between_contents_seconds` is where the agent does not say."""

ONE_MODELS_OWN: Final = frozenset({"base_url", "api_key", "extra_body", "context_window"})
"""The settings that are meant for one model alone, not for those that may answer instead of it."""
MOST_FALLBACKS: Final = 8

_LONGEST_CLOCK: Final = 1800.0  #: within what a step may take
_MOST_TOKENS: Final = 10_000_000
_MOST_STOPS: Final = 16
_LONGEST_STOP: Final = 256
_LONGEST_URL: Final = 2048
_BODY_TEXT: Final = 16 * 1024
_BODY_LEVELS: Final = 16
#: What a request holds that is Baton's to say.
_OURS: Final = frozenset({"input", "messages", "model", "n", "stream", "stream_options", "tools"})
_KEY: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]{0,254})")

_Rule = Callable[[JsonValue], str | None]


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """What agents may name beyond what each provider has from the worker's environment: tenants write agents, so it is
    the deployer's list. ``hosts``: with a port, or without for any."""

    keys: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def refused_key(self, settings: JsonObject) -> str | None:
        """The environment variable that ``settings`` name and must not; None where nothing is wrong."""
        name = key_name(settings)
        return None if name is None or name in self.keys else name

    def refused_host(self, settings: JsonObject) -> str | None:
        """The host that ``settings`` name and must not; None where nothing is wrong."""
        url = base_url(settings)
        if url is None:
            return None
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        with_port = f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        return None if {host, with_port} & {one.lower() for one in self.hosts} else parts.netloc


def check_model_settings(
    settings: JsonObject, access: ModelAccess, where: tuple[str | int, ...] = ("body", "model_settings")
) -> None:
    """Raises `InvalidInput` for settings that are not known, out of bounds, or not ``access``'s."""
    for name, value in settings.items():
        rule = _RULES.get(name)
        if rule is None:
            instead = meant(name, tuple(_RULES))
            hint = f"did you mean {instead!r}?" if instead else f"it must be one of {', '.join(_RULES)}"
            raise InvalidInput(f"this model setting is unknown: {hint}", (*where, name))
        if problem := rule(value):
            raise InvalidInput(f"{name} must be {problem}", (*where, name))
    if (key := access.refused_key(settings)) is not None:
        raise InvalidInput(
            f"agents may not use the environment variable {key}: it is not in BATON_MODEL_KEYS", (*where, "api_key")
        )
    if (host := access.refused_host(settings)) is not None:
        raise InvalidInput(f"agents may not use the host {host}: it is not in BATON_MODEL_HOSTS", (*where, "base_url"))


def is_address(model: str) -> bool:
    """Whether ``model`` is an address instead of a name. Some providers' clients would go there, with their key."""
    return "://" in model


def key_name(settings: JsonObject) -> str | None:
    """The environment variable that holds the key; None: the provider's own."""
    found = _KEY.fullmatch(str(settings.get("api_key", "")))
    return found and found[1]


def base_url(settings: JsonObject) -> str | None:
    """Where the model is served; None: where the provider says."""
    return cast("str | None", settings.get("base_url"))


def context_window(settings: JsonObject) -> int | None:
    """The tokens that the model reads; None: as many as it is known to."""
    return cast("int | None", settings.get("context_window"))


def summary_model(settings: JsonObject) -> str | None:
    """The model that makes summaries; None: the agent's own."""
    return cast("str | None", settings.get("summary_model"))


def _number(least: float, most: float) -> _Rule:
    def rule(value: JsonValue) -> str | None:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
        return None if fits else f"a number from {least:g} to {most:g}"

    return rule


def _whole(least: int, most: int) -> _Rule:
    def rule(value: JsonValue) -> str | None:
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return None if fits else f"a whole number from {least} to {most}"

    return rule


def _effort(value: JsonValue) -> str | None:
    return None if value in EFFORTS else f"one of {', '.join(EFFORTS)}"


def _model(value: JsonValue) -> str | None:
    fits = isinstance(value, str) and len(value) <= 255 and all(value.partition(":")) and not is_address(value)
    return None if fits else "the name of a model, as `provider:model`"


def _flag(value: JsonValue) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _stop(value: JsonValue) -> str | None:
    fits = isinstance(value, list) and 1 <= len(value) <= _MOST_STOPS
    fits = fits and all(
        isinstance(one, str) and 1 <= len(one) <= _LONGEST_STOP for one in cast("list[JsonValue]", value)
    )
    return None if fits else f"a list of at most {_MOST_STOPS} texts of 1 to {_LONGEST_STOP} characters"


def _extra_body(value: JsonValue) -> str | None:
    if not isinstance(value, dict) or deeper_than(value, _BODY_LEVELS) or len(repr(value)) > _BODY_TEXT:
        return f"an object of at most {_BODY_TEXT // 1024} KiB and {_BODY_LEVELS} levels"
    ours = sorted(_OURS & value.keys())
    return f"without {', '.join(ours)}: Baton says that itself" if ours else None


def _base_url(value: JsonValue) -> str | None:
    problem = "an http or https URL without user, query and fragment"
    if not isinstance(value, str) or len(value) > _LONGEST_URL or not value.isascii() or not value.isprintable():
        return problem
    try:
        parts = urlsplit(value)
        fits = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        return problem
    return None if fits and "@" not in parts.netloc and not set("?# \\") & set(value) else problem


def _api_key(value: JsonValue) -> str | None:
    fits = isinstance(value, str) and _KEY.fullmatch(value)
    return None if fits else "env:NAME, with the name of an environment variable of the worker; never the key itself"


_RULES: Final[dict[str, _Rule]] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "max_tokens": _whole(1, _MOST_TOKENS),
    "effort": _effort,
    "stop": _stop,
    "seed": _whole(INT64_MIN, INT64_MAX),
    "extra_body": _extra_body,
    "base_url": _base_url,
    "api_key": _api_key,
    "first_content_seconds": _number(0.1, _LONGEST_CLOCK),
    "between_contents_seconds": _number(0.1, _LONGEST_CLOCK),
    "timeout_seconds": _number(0.1, _LONGEST_CLOCK),
    "context_window": _whole(1024, 100_000_000),
    "summary_model": _model,
    "prompt_cache": _flag,
}
MODEL_SETTINGS: Final = tuple(_RULES)
"""The settings by name."""
