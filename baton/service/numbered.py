"""Pages by number: what is cut from one would be on none, so that one that is too large is refused."""

from typing import Final, TypeVar

from baton.domain.errors import InvalidInput
from baton.store.pages import CutPage

T = TypeVar("T")
#: What a page by number may hold, in bytes.
NUMBERED_BYTES: Final = 4 * 1024 * 1024


def check_whole(found: CutPage[T], parameter: str) -> CutPage[T]:
    """``found``, if all of it is there. Raises `InvalidInput`, naming the ``parameter`` that says how many to give."""
    if found.cut:
        raise InvalidInput("the page would be larger than 4 MiB: ask for fewer", ("query", parameter))
    return found
