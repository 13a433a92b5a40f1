"""A server to talk to, and the command line as a process."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_baton import KEY, FakeBaton, running_fake_baton

ROOT = Path(__file__).resolve().parents[2]
BATON = (sys.executable, "-m", "baton.cli")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Coroutine[Any, Any, Ran]]


@pytest.fixture
async def fake() -> AsyncGenerator[FakeBaton]:
    """A server of this test alone."""
    async with running_fake_baton() as baton:
        yield baton


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a command: nothing that this machine happens to have."""
    said_elsewhere = ("BATON_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(said_elsewhere)}
    return {**kept, "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


@pytest.fixture
def baton(fake: FakeBaton, environment: dict[str, str]) -> Command:
    """Run `baton …` against the server, with a stdin (None: at its end)."""

    async def run(*arguments: str, stdin: str | None = None, key: str = KEY, url: str | None = None) -> Ran:
        process = await asyncio.create_subprocess_exec(
            *BATON,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**environment, "BATON_URL": fake.url if url is None else url, "BATON_API_KEY": key},
        )
        out, err = await asyncio.wait_for(process.communicate((stdin or "").encode()), 60)
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    return run
