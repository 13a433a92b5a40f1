"""A Temporal dev server for the tests of this process."""

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from baton.localstack.part import start
from baton.localstack.temporal import TemporalServer
from baton.localstack.temporal_binary import ensure_temporal
from baton.service.namespace import register_search_attributes

#: Makes workflows continue as new after a few turns.
SHORT_HISTORIES = {"limit.historyCount.suggestContinueAsNew": "20"}


@dataclass(frozen=True, slots=True)
class RunningTemporal:
    """Where the server is, and a client of its default namespace."""

    address: str
    ui_url: str
    client: Client


@asynccontextmanager
async def running_temporal(
    directory: Path, dynamic: Mapping[str, str] | None = None
) -> AsyncGenerator[RunningTemporal]:
    """A server with eager activities and Baton's search attributes; ``dynamic``: more dynamic configuration."""
    program = await ensure_temporal(lambda text: print(text, file=sys.stderr))
    server = TemporalServer(program, directory / "temporal.db", directory / "temporal.log", dynamic)
    try:
        running = await start(server.part())
    except BaseException:
        server.release_ports()
        raise
    try:
        client = await Client.connect(server.address)
        await register_search_attributes(client)
        yield RunningTemporal(server.address, server.ui_url, client)
    finally:
        await running.stop()
        server.release_ports()


async def execute_update(handle: WorkflowHandle[Any, Any], update: str, given: object, id: str | None = None) -> Any:
    """Send an update and wait for its result. Raises WorkflowUpdateFailedError where it is refused."""
    return await handle.execute_update(update, given, id=id)  # pyright: ignore[reportUnknownMemberType]
