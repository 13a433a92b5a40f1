"""The named queries of `store/sql/*.sql`."""

import re
from functools import cache
from importlib import resources
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def all_queries() -> dict[str, str]:
    """Every named query, by name. Raises ValueError if a name is used twice."""
    queries: dict[str, str] = {}
    for file in sorted(resources.files("store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        pieces = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
            if name in queries:
                raise ValueError(f"{file.name}: the query {name!r} is named twice")
            queries[name] = text.strip().rstrip(";")
    return queries


def query(name: str) -> str:
    """The text of a named query. Raises KeyError: a query's name is code, not data."""
    return all_queries()[name]
