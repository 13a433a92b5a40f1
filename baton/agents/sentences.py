"""What a provider said of an error, as a person may read it: its own sentence, short, without secrets."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from baton.agents.responses import storable_text
from baton.settings import SECRET_NAME

LONGEST: Final = 1000
"""Characters of a sentence that are kept."""

MASK: Final = "[secret]"

_SHORTEST_SECRET: Final = 8
#: How keys look that are not (or not wholly) this worker's: providers quote the one that they refused.
_LOOKS_SECRET: Final = re.compile(
    r"\b(?:sk|pk|rk|key|xai|gsk|hf)[-_][A-Za-z0-9*_-]{8,}|\bAIza[A-Za-z0-9_-]{16,}|(?i:\bbearer\s+)\S{8,}|://[^/\s@]+@"
)


def sentence_of(error: BaseException) -> str:
    """What ``error`` says: where a provider answered, the message in the answer's body, else its own text."""
    said = _message(getattr(error, "body", None)) or str(error)
    return masked(storable_text(said))[:LONGEST]


def masked(text: str) -> str:
    """``text`` without the values of this process's secrets, and without what looks like a key."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _LOOKS_SECRET.sub(MASK, text)


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET:
            yield value


def _message(body: object) -> str:
    """The sentence in an error's body: `{"message"}`, `{"error": {"message"}}`, `{"error"}`, `{"detail"}`."""
    if not isinstance(body, Mapping):
        return ""
    fields = cast("Mapping[str, object]", body)
    for name in ("message", "error", "detail"):
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if found := _message(value):
            return found
    return ""
