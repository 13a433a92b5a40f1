"""Heartbeats: a worker that is killed is found out within the heartbeat timeout."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import activity


@asynccontextmanager
async def heartbeats() -> AsyncGenerator[None]:
    """Beat while the block works, four times per heartbeat timeout; a short activity never does."""
    timeout = activity.info().heartbeat_timeout
    beating = asyncio.create_task(_beat(timeout.total_seconds() / 4)) if timeout else None
    try:
        yield
    finally:
        if beating:
            beating.cancel()


async def _beat(interval_seconds: float) -> None:
    while True:
        await asyncio.sleep(interval_seconds)
        activity.heartbeat()
