"""`make bench`, or `.venv/bin/python -m bench --help`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop

from baton.runtime.process import leave
from bench import (
    rows_access,
    rows_calls,
    rows_history,
    rows_latency,
    rows_load,
    rows_readers,
    rows_stream,
    rows_waiting,
)
from bench.report import Row, as_json, lines
from bench.stack import BenchStack, running_stack

_RESULTS: Final = Path(__file__).with_name("results")

#: In this order: what takes Temporal away comes last. (stack, quick) → rows. Loads have tasks, blocks and seconds.
_ROWS: Final[dict[str, Callable[[BenchStack, bool], Awaitable[list[Row]]]]] = {
    "latency": lambda stack, quick: rows_latency.measure(stack, rounds=20 if quick else 100),
    "calls": lambda stack, quick: rows_calls.measure(stack, *((50, 5, 40) if quick else (200, 10, 100))),
    "access": lambda stack, quick: rows_access.measure(stack, rounds=40 if quick else 200),
    "history": lambda stack, quick: rows_history.measure(stack, late=40 if quick else 300),
    "stream": lambda stack, quick: rows_stream.measure(stack, turns=20 if quick else 100),
    "turns": lambda stack, quick: rows_load.measure_turns(stack, *((50, 3, 3.0) if quick else (200, 7, 8.0))),
    "accept": lambda stack, quick: rows_load.measure_accept(stack, *((50, 3, 3.0) if quick else (200, 7, 8.0))),
    "readers": lambda stack, quick: rows_readers.measure(stack, *((200, 5) if quick else (2000, 20))),
    "waiting": lambda stack, quick: rows_waiting.measure(stack, *((500, 10.0) if quick else (10_000, 60.0))),
    "outage": lambda stack, quick: rows_load.measure_outage(stack, *((50, 3, 2.0) if quick else (200, 7, 4.0))),
}


async def run(names: Sequence[str], *, quick: bool, keep: Path | None) -> list[Row]:
    """Start everything, measure, stop everything."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="baton-bench-", ignore_cleanup_errors=True) as temporary:
        async with running_stack(keep or Path(temporary)) as stack:
            for name in _ROWS:
                if name in names:
                    print(f"— {name} …", file=sys.stderr, flush=True)
                    found = await _ROWS[name](stack, quick)
                    for line in lines(found):
                        print(line, flush=True)
                    rows += found
    return rows


def main() -> int:
    """Returns the exit code: 0 whether or not the goals are met, so that a figure never breaks a build."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Baton beside its bare parts.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"what to measure: {', '.join(_ROWS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a minute or two; the figures are rough")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the result (default: bench/results/)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep data and logs in this new directory")
    options = parser.parse_args()
    names: list[str] = options.rows or list(_ROWS)
    if unknown := set(names) - set(_ROWS):
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    rows = uvloop.run(run(names, quick=options.quick, keep=options.keep))
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    file: Path = options.json or _RESULTS / f"{now}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(as_json(rows, {"rows": names, "quick": options.quick}), indent=2, ensure_ascii=False))
    print(f"\n{sum(row.met for row in rows)} of {len(rows)} goals met; written to {file}")
    return 0


if __name__ == "__main__":
    leave(main())
