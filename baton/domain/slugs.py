"""Slugs: names for tasks that stand in addresses, which people can read.

A slug is made of the task's title and its integer, neither of which ever changes: it is stable, unique within a tenant
because the integer is, and found by the integer's index. Nothing is stored for it.
"""

import re
import unicodedata
from typing import Final

from baton.domain.json import INT64_MAX

_WORDS: Final = re.compile(r"[a-z0-9]+")
_NUMBER: Final = re.compile(r"(?:[a-z0-9]+-)+([1-9][0-9]{0,18})")
_LONGEST_WORDS: Final = 48
_NO_WORDS: Final = "task"


def slug_of(title: str, number: int) -> str:
    """The slug of a task: `fix-the-login-42`. ASCII, at most 68 characters, and never one word alone."""
    return f"{words_of(title) or _NO_WORDS}-{number}"


def words_of(text: str) -> str:
    """The words of ``text`` as they stand in slugs, "" for none: accents are dropped, whole words are cut off."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "-".join(_WORDS.findall(plain))
    if len(words) <= _LONGEST_WORDS:
        return words
    return words[: _LONGEST_WORDS + 1].rpartition("-")[0] or words[:_LONGEST_WORDS]


def number_in(slug: str) -> int | None:
    """The integer of the task that ``slug`` would be of; None for what is no slug."""
    found = _NUMBER.fullmatch(slug)
    return int(found[1]) if found and int(found[1]) <= INT64_MAX else None
