"""What a text in a request must be."""

from baton.domain.errors import InvalidInput
from baton.domain.json import unstorable_text


def check_text(
    text: str | None, name: str, *where: int, longest: int | None = None, may_be_empty: bool = False
) -> None:
    """Raises `InvalidInput` for a text of the body that is blank, too long, or cannot be stored; None is no text.

    ``name`` is its field, ``where`` its place in a field that is a list, ``longest`` in characters.
    """
    if text is None:
        return
    place = ("body", name, *where)
    if not may_be_empty and not text.strip():
        raise InvalidInput(f"{name} must not be empty", place)
    if longest is not None and len(text) > longest:
        raise InvalidInput(f"{name} must not be longer than {longest} characters", place)
    if reason := unstorable_text(text):
        raise InvalidInput(reason, place)
