"""What PromQL expressions name: series, and the labels that are asked of them."""

import re
from typing import Final

_NAME: Final = re.compile(r"\b((?:baton|temporal|process|python)_\w+|up)\b(?:\{([^}]*)\})?")
_LABEL: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_BY: Final = re.compile(r"\bby \(([^)]*)\)")
#: What Prometheus itself adds to what it reads, and the buckets' bound.
ADDED: Final = frozenset({"job", "instance", "le"})


def named(expression: str) -> dict[str, set[str]]:
    """The series of an expression, each with the labels that it is filtered or grouped by."""
    grouped = {label.strip() for labels in _BY.findall(expression) for label in labels.split(",")}
    return {
        name: grouped | set(_LABEL.findall(selector))
        for name, selector in _NAME.findall(re.sub(r"\bby \([^)]*\)", "", expression))
    }
