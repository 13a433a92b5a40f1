"""An API that is told to stop serves on until whoever sends it requests has noticed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.support.environment import without_settings

_ROOT: Final = Path(__file__).resolve().parents[2]
_LONG: Final = 300


@asynccontextmanager
async def running(dsn: str, drain_seconds: float) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str]]:
    """An API's process, and its root. Temporal is away: it needs none for this."""
    environment = {
        **without_settings(),
        "DATABASE_URL": dsn,
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "BATON_DRAIN_SECONDS": str(drain_seconds),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "baton.cli", "api", "--port", "0"),
        cwd=_ROOT,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        url = f"http://{(await process.stdout.readline()).decode().split()[-1]}"
        async with asyncio.timeout(60):
            while not await _serves(url):
                await asyncio.sleep(0.05)
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _serves(url: str) -> bool:
    return await _status(f"{url}/livez") == 200


async def _until_ready(url: str, status: int) -> None:
    async with asyncio.timeout(60):
        while await _status(f"{url}/readyz") != status:
            await asyncio.sleep(0.02)


async def _status(url: str) -> int | None:
    try:
        async with httpx.AsyncClient() as client:  # a connection of its own, as from a load balancer
            return (await client.get(url, timeout=30)).status_code
    except httpx.TransportError:
        return None


async def test_it_serves_on_for_a_while_and_then_ends(database_url: str) -> None:
    async with running(database_url, 5) as (process, url):
        await _until_ready(url, 200)  # once it has looked
        process.send_signal(signal.SIGTERM)
        await _until_ready(url, 503)
        assert await _serves(url)
        assert process.returncode is None
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert not await _serves(url)


async def test_a_second_signal_ends_it(database_url: str) -> None:
    async with running(database_url, _LONG) as (process, url):
        process.send_signal(signal.SIGTERM)
        assert await _serves(url)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_nobody_waits_after_an_interrupt_from_the_keyboard(database_url: str) -> None:
    async with running(database_url, _LONG) as (process, _):
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
