"""`baton …` as a process, against the API."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.api import RunningApi

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Coroutine[Any, Any, Ran]]


def commands(api: RunningApi, tmp_path: Path) -> Command:
    """Run `baton …` with the tenant's key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
    environment = {
        **kept,
        "BATON_URL": api.url,
        "BATON_API_KEY": api.key,
        "DATABASE_URL": api.settings.dsn,
        "XDG_STATE_HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "COLUMNS": "100",
    }

    async def run(*arguments: str, stdin: str = "") -> Ran:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "baton.cli", *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    return run
