"""A second API process on the database and the Temporal server of a running stack."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.support.environment import without_settings
from tests.support.stack import DevStack

_ROOT: Final = Path(__file__).resolve().parents[2]
_UP_SECONDS: Final = 60.0


@asynccontextmanager
async def second_api(stack: DevStack) -> AsyncGenerator[str]:
    """Its URL, for the length of the block."""
    variables = without_settings()
    variables |= {
        "DATABASE_URL": stack.ready["postgres_dsn"],
        "BATON_TASK_QUEUE": stack.ready["task_queue"],
        "TEMPORAL_ADDRESS": stack.ready["temporal_address"],
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "BATON_DRAIN_SECONDS": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "baton.cli", "api", "--host", "127.0.0.1", "--port", "0"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT,
        env=variables,
    )
    assert process.stdout is not None
    try:
        said = (await asyncio.wait_for(process.stdout.readline(), _UP_SECONDS)).decode().split()
        assert said[:2] == ["Listening", "on"], said
        yield f"http://{said[2]}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
