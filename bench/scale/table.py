"""Points as Markdown: a table for each thing that grows, its sizes from left to right."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from bench.scale.points import Point


def tables(points: Iterable[Point]) -> str:
    """All of them, in the order of ``points``."""
    return "\n\n".join(_table(list(group)) for _, group in groupby(points, key=attrgetter("axis")))


def _table(points: Sequence[Point]) -> str:
    names = list(dict.fromkeys(name for point in points for name in point.figures))
    head = f"| {points[0].axis} | " + " | ".join(f"{point.size:,}" for point in points) + " |"
    rows = [f"| {name} | " + " | ".join(_cell(point.figures.get(name)) for point in points) + " |" for name in names]
    return "\n".join((head, "|---|" + "--:|" * len(points), *rows))


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
