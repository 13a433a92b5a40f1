"""`baton worker`."""

import os
import sys
from pathlib import Path


def worker() -> None:
    """Run a worker: it does the agents' work. For more, run more."""
    script = Path(__file__).resolve().parents[2] / "worker.py"
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, str(script)])  # noqa: S606 (no shell is wanted)
