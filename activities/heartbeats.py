"""Heartbeats: a worker that is killed is found out within the heartbeat timeout."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import activity

from baton.runtime.loop import Loop


@asynccontextmanager
async def heartbeats() -> AsyncGenerator[None]:
    """Beat while the block works, four times per heartbeat timeout; a short activity never does."""
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield
        return
    async with Loop("heartbeat", timeout.total_seconds() / 4, _beat):
        yield


async def _beat() -> None:
    activity.heartbeat()
