"""What lists are narrowed to, as callers write it."""

from baton.domain.errors import InvalidInput
from baton.domain.json import unstorable_text
from baton.domain.views import MetadataAt


def check_search(text: str | None) -> None:
    """Raises `InvalidInput` for text that nothing stored can hold."""
    if text is not None and (reason := unstorable_text(text)):
        raise InvalidInput(reason, ("query",))


def check_metadata(metadata: MetadataAt | None) -> None:
    """Raises `InvalidInput` like `check_search`, for paths and for values."""
    for path, value in (metadata or {}).items():
        for text in (*path, value):
            check_search(text)
