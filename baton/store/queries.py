"""The named queries of `sql/*.sql`.

A `-- part:` is text that several queries have in common: `:name` stands for it in them.
"""

import re
from functools import cache
from importlib import resources
from typing import Final

_NAME: Final = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)
_PART: Final = re.compile(r"(?<!:):([a-z]\w*)")


@cache
def all_queries() -> dict[str, str]:
    """Every named query, by name. Raises ValueError if a name is used twice."""
    queries: dict[str, str] = {}
    parts: dict[str, str] = {}
    for file in sorted(resources.files("baton.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        pieces = _NAME.split(file.read_text(encoding="utf-8"))
        for kind, name, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
            if name in queries or name in parts:
                raise ValueError(f"{file.name}: the query {name!r} is named twice")
            (parts if kind == "part" else queries)[name] = text.strip().rstrip(";")
    return {name: _PART.sub(lambda found: parts[found[1]], text) for name, text in queries.items()}


def query(name: str) -> str:
    """The text of a named query. Raises KeyError: a query's name is code, not data."""
    return all_queries()[name]
