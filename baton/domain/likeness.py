"""Which name a wrong one may have been meant to be."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

LONGEST: Final = 60  #: a longer name is no misspelling
_LIKENESS: Final = 0.75


def meant(name: str, known: Sequence[str]) -> str | None:
    """Which of the ``known`` names ``name`` looks like a misspelling of: `depend_on`, `dependsOn`, `Titel`."""
    if len(name) > LONGEST:
        return None
    plain = {_plain(one): one for one in known}
    found = get_close_matches(_plain(name), plain, n=1, cutoff=_LIKENESS)
    return plain[found[0]] if found else None


def quoted(name: str) -> str:
    """``name`` in quotes, cut where it is longer than a name."""
    return repr(name if len(name) <= LONGEST else name[:LONGEST] + "…")


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")
