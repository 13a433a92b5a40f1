"""Clients of others at work: programs in processes of their own, against a `baton dev`."""

import asyncio
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.packages import python_with


@dataclass(frozen=True, slots=True)
class Deployment:
    """A `baton dev`, and what callers of its APIs must know. ``agent`` is a uuid, ``number`` the same one's integer."""

    url: str
    key: str
    queue: str
    agent: str
    number: int
    name: str


async def run_with(package: str, version: str, program: Path, *arguments: str | int, cwd: Path | None = None) -> Any:
    """What a program says, in one line of JSON, run by a Python that has a published package and nothing of ours."""
    python = await asyncio.to_thread(python_with, package, version)
    output, _ = await run(python, "-I", program, *arguments, cwd=cwd)
    return json.loads(output)


async def run(*command: str | int | Path, cwd: Path | None = None) -> tuple[str, str]:
    """What a command says, and what it complains of; AssertionError with all of it if it fails."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()
    return output.decode(), errors.decode()
