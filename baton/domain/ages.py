"""Ages as people write them."""

import re
from datetime import timedelta
from typing import Final

_AGE: Final = re.compile(r"(\d{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_age(text: str) -> timedelta:
    """`30d`, `12h`, `2w`, `90m` or `60s` as a time span. Raises ValueError."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise ValueError("an age is a number and a unit: 30d, 12h, 90m, 60s or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
