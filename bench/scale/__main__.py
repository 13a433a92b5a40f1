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
from bench.stack import BenchStack, running_stack

_RESULTS: Final = Path(__file__).parents[1] / "results"
_SECONDS: Final = 15.0

_Axis = Callable[[BenchStack, Pool, bool], AsyncGenerator[Point]]
#: (stack, pool, quick) → points. Each has a stack of its own.
_AXES: Final[dict[str, _Axis]] = {
    "waiting": lambda stack, pool, quick: waiting.measure(
        stack, pool, (20, 100, 1000) if quick else (20, 100, 1000, 10_000, 100_000), _SECONDS
    ),
    "turns": lambda stack, pool, quick: turns.measure(stack, pool, (1, 100) if quick else (1, 100, 1000, 10_000)),
    "plans": lambda stack, pool, quick: plans.measure(stack, pool, (1, 10, 100) if quick else (1, 10, 100, 1000, 5000)),
    "tenants": lambda stack, pool, quick: tenants.measure(stack, pool, (1, 10) if quick else (1, 10, 100, 1000)),
    "processes": lambda stack, pool, quick: processes.measure(stack, pool, (1, 2) if quick else (1, 2, 3, 4), _SECONDS),
}


async def run(names: Sequence[str], *, quick: bool) -> list[Point]:
    """Measure each of ``names`` with a stack of its own, from small to large."""
    found = list[Point]()
    for name in names:
        with tempfile.TemporaryDirectory(prefix="baton-scale-", ignore_cleanup_errors=True) as temporary:
            async with running_stack(Path(temporary)) as stack:
                pool = await open_pool(stack.dsn, min_size=0, max_size=4, application="bench scale")
                try:
                    async for point in _AXES[name](stack, pool, quick):
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
    parser.add_argument("--quick", action="store_true", help="smaller sizes: some five minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write (default: bench/results/)")
    options = parser.parse_args()
    names: list[str] = options.axes or list(_AXES)
    if unknown := set(names) - set(_AXES):
        parser.error(f"nothing grows that is called {', '.join(sorted(unknown))}")
    points = uvloop.run(run(names, quick=options.quick))
    file: Path = options.json or _RESULTS / f"scale-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {**machine(), "points": [asdict(point) for point in points]}
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False))
    print(f"written to {file}")
    return 0


if __name__ == "__main__":
    leave(main())
