"""What PromQL expressions name: series, and the labels that are asked of them."""

import re
from typing import Final

_NAME: Final = re.compile(r"\b((?:baton|temporal|process|python)_\w+|up)\b(?:\{([^}]*)\})?")
_LABEL: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_BY: Final = re.compile(r"\bby \(([^)]*)\)")
_SETS: Final = re.compile(r"\b(?:unless|or|and)\b(?: on \([^)]*\))?")
#: What Prometheus itself adds to what it reads, and the buckets' bound.
ADDED: Final = frozenset({"job", "instance", "le"})


def named(expression: str) -> dict[str, set[str]]:
    """The series of an expression, each with the labels that it is filtered or grouped by."""
    found: dict[str, set[str]] = {}
    for part in _SETS.split(expression):
        grouped = {label.strip() for labels in _BY.findall(part) for label in labels.split(",")}
        for name, selector in _NAME.findall(_BY.sub("", part)):
            found[name] = found.get(name, set()) | grouped | set(_LABEL.findall(selector))
    return found
