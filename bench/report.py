"""What a run found: rows with their goals, as a table for people and as JSON for programs."""

import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that was measured, beside the row's own result."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Row:
    """A measured ratio and the bound that it must keep. ``result`` is a median."""

    key: str
    what: str
    result: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    figures: Sequence[Figure] = field(default_factory=tuple[Figure, ...])

    @property
    def met(self) -> bool:
        """Whether the result keeps the bound."""
        above = self.at_most is None or self.result <= self.at_most
        return above and (self.at_least is None or self.result >= self.at_least)

    @property
    def goal(self) -> str:
        """The bound, as the table shows it."""
        bound = f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"
        return f"{bound} {self.unit}"


def percentile(values: Iterable[float], percent: float) -> float:
    """The value below which ``percent`` of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def milliseconds(name: str, seconds: Sequence[float], percent: float = 50) -> Figure:
    """A percentile of durations."""
    return Figure(f"{name} p{percent:g}", percentile(seconds, percent) * 1000, "ms")


def per_second(name: str, rates: Sequence[float]) -> Figure:
    """The median of rates."""
    return Figure(name, statistics.median(rates), "/s")


def lines(rows: Sequence[Row]) -> Iterable[str]:
    """The table."""
    for row in rows:
        yield f"{'ok ' if row.met else 'NOT'}  {row.what}: {row.result:.3g} {row.unit}  (goal {row.goal})"
        for figure in row.figures:
            yield f"       {figure.name}: {figure.value:.4g} {figure.unit}"


def as_json(rows: Sequence[Row], options: dict[str, Any]) -> dict[str, Any]:
    """The same for programs, with what it was measured on."""
    return {**machine(), "options": options, "rows": [{**asdict(row), "met": row.met} for row in rows]}


def machine() -> dict[str, Any]:
    """When and on what something is measured."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "cpus": psutil.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "load_average": psutil.getloadavg(),
        },
    }
