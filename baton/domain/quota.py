"""How many requests a caller may make a minute, and how many are left."""

from dataclasses import dataclass
from typing import Final

WINDOW_SECONDS: Final = 60
#: What a key's own limit says that may make any number of requests.
UNLIMITED: Final = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """Where a caller stands after a request: ``remaining`` of ``limit`` requests until the window ends.

    ``reset_seconds`` is rounded up: who waits that long finds the whole quota again. ``exceeded``: this request was one
    too many.
    """

    limit: int
    remaining: int
    reset_seconds: int
    exceeded: bool
