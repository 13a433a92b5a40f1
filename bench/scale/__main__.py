"""`python -m bench.scale --help`."""

import argparse
import json
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop

from baton.runtime.process import leave
from baton.store.pool import Pool, open_pool
from bench.report import machine
from bench.scale import plans, processes, tenants, turns, waiting
from bench.scale.points import Point
from bench.scale.table import tables
from bench.stack import BenchStack, running_stack

_RESULTS: Final = Path(__file__).parents[1] / "results"
_SECONDS: Final = 15.0

_Axis = Callable[[BenchStack, Pool, Sequence[int]], AsyncGenerator[Point]]
#: What grows, its sizes, and (stack, pool, sizes) → points. Each has a stack of its own.
_AXES: Final[dict[str, tuple[Sequence[int], _Axis]]] = {
    "waiting": (
        (20, 100, 1000, 10_000, 100_000),
        lambda stack, pool, sizes: waiting.measure(stack, pool, sizes, _SECONDS),
    ),
    "turns": ((1, 100, 1000, 10_000), turns.measure),
    "plans": ((1, 10, 100, 1000, 5000), plans.measure),
    "tenants": ((1, 10, 100, 1000), tenants.measure),
    "processes": ((1, 2, 3, 4), lambda stack, pool, sizes: processes.measure(stack, pool, sizes, _SECONDS)),
}


async def run(names: Sequence[str], most: int) -> list[Point]:
    """Measure each of ``names`` with a stack of its own, from small to large, ``most`` at most."""
    found = list[Point]()
    for name in names:
        sizes, measure = _AXES[name]
        with tempfile.TemporaryDirectory(prefix="baton-scale-", ignore_cleanup_errors=True) as temporary:
            async with running_stack(Path(temporary)) as stack:
                pool = await open_pool(stack.dsn, min_size=0, max_size=4, application="bench scale")
                try:
                    async for point in measure(stack, pool, [size for size in sizes if size <= most]):
                        found.append(point)
                        print(f"{point.axis} {point.size}", file=sys.stderr)
                        for what, value in point.figures.items():
                            print(f"    {what}: {value:.4g}", file=sys.stderr, flush=True)
                finally:
                    await pool.close()
    return found


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="Measure how cost grows.")
    parser.add_argument("axes", nargs="*", metavar="AXIS", help=f"what grows: {', '.join(_AXES)} (default: all)")
    parser.add_argument("--most", type=int, default=10**9, metavar="N", help="nothing larger")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write (default: bench/results/)")
    options = parser.parse_args()
    names: list[str] = options.axes or list(_AXES)
    if unknown := set(names) - set(_AXES):
        parser.error(f"nothing grows that is called {', '.join(sorted(unknown))}")
    points = uvloop.run(run(names, options.most))
    file: Path = options.json or _RESULTS / f"scale-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {**machine(), "points": [asdict(point) for point in points]}
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False))
    print(f"{tables(points)}\n\nwritten to {file}")
    return 0


if __name__ == "__main__":
    leave(main())
