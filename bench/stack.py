"""Everything that is measured, as real processes, started here so that each can be stopped when a row wants it away."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from temporalio.client import Client

from baton.localstack.credentials import ensure_credentials
from baton.localstack.part import Part, RunningPart, start
from baton.localstack.postgres import Postgres
from baton.localstack.probes import api_answers, worker_polls
from baton.localstack.temporal import TemporalServer
from baton.localstack.temporal_binary import ensure_temporal
from baton.runtime.listener import listen
from baton.service.namespace import register_search_attributes
from baton.store.migrate import migrate
from baton.store.pool import open_pool
from bench.bare import QUEUE as BARE_QUEUE
from bench.insert_app import TABLE
from bench.marks import VARIABLE, Marks
from bench.open_app import VARIABLE as OPEN_VARIABLE

QUEUE: Final = "bench"
_ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(slots=True)
class BenchStack:
    """What runs. ``api_port`` is that of Baton's API; ``insert_port`` 0 unless `insert_api` is open."""

    dsn: str
    tenant: str
    api_key: str
    client: Client
    marks: Marks
    api_port: int
    logs: Path
    environment: Mapping[str, str]
    parts: dict[str, RunningPart] = field(default_factory=dict[str, RunningPart])
    insert_port: int = 0

    async def analyze(self) -> None:
        """Let PostgreSQL know its tables, as autovacuum does within a minute of their first rows.

        Until then it guesses, and plans that were guessed for empty tables read all of a tenant's rows.
        """
        pool = await open_pool(self.dsn, min_size=0, max_size=1, application="bench")
        async with pool.connection() as connection:
            await connection.execute("ANALYZE")
        await pool.close()

    async def stop_temporal(self) -> None:
        """Take Temporal away for the rest of the run."""
        await self.parts.pop("temporal").stop()

    @asynccontextmanager
    async def insert_api(self) -> AsyncGenerator[None]:
        """The same application with a route of one INSERT, in a process of its own."""
        async with self._another_api("insert", "bench.insert_app", {}) as self.insert_port:
            try:
                yield
            finally:
                self.insert_port = 0

    def open_api(self) -> AbstractAsyncContextManager[int]:
        """The same application for everybody, who is known without a look and not counted; its port."""
        return self._another_api("open", "bench.open_app", {OPEN_VARIABLE: self.api_key})

    @asynccontextmanager
    async def _another_api(self, name: str, module: str, more: Mapping[str, str]) -> AsyncGenerator[int]:
        listener = listen("127.0.0.1", 0)
        self.parts[name] = await start(self.server(name, ["-m", module], listener, more))
        try:
            yield listener.getsockname()[1]
        finally:
            await self.parts.pop(name).stop()
            listener.close()

    def server(
        self, name: str, module: Sequence[str], listener: socket.socket, more: Mapping[str, str] | None = None
    ) -> Part:
        """A process that serves on an inherited socket, whose number comes last on its command line. ``more``:
        variables beside those that all have."""
        fd = listener.fileno()
        return self.part(name, [*module, str(fd)], api_answers(listener), [fd], more)

    def part(
        self,
        name: str,
        module: Sequence[str],
        is_up: Callable[[int], Awaitable[bool]],
        fds: Sequence[int],
        more: Mapping[str, str] | None = None,
    ) -> Part:
        """A process of Python's."""
        return Part(
            name,
            [sys.executable, *module],
            self.logs / f"{name}.log",
            is_up,
            environment={**self.environment, **(more or {})},
            directory=_ROOT,
            pass_fds=fds,
            stop_seconds=15,
            up_seconds=60,
        )


@asynccontextmanager
async def running_stack(directory: Path) -> AsyncGenerator[BenchStack]:
    """PostgreSQL and Temporal as `baton dev` starts them, API, worker, and the bare workflow's worker."""
    logs = directory / "logs"
    logs.mkdir(parents=True)
    async with AsyncExitStack() as cleanup:
        parts: dict[str, RunningPart] = {}

        async def run(part: Part) -> None:
            running = parts[part.name] = await start(part)
            cleanup.push_async_callback(running.stop)

        marks = Marks()
        marks.listen()
        cleanup.callback(marks.close)
        postgres = Postgres(directory / "postgres", logs / "postgres.log")
        cleanup.callback(postgres.close)
        await run(await postgres.part())
        await postgres.create_database("baton")
        dsn = postgres.dsn("baton")
        await migrate(dsn)
        await _create_bench_table(dsn)
        credentials = await ensure_credentials(dsn, directory / "credentials.json")
        program = await ensure_temporal(lambda text: print(text, file=sys.stderr))
        server = TemporalServer(program, directory / "temporal.db", logs / "temporal.log")
        await run(server.part())
        client = await _connect(server.address)
        await register_search_attributes(client)
        listener = listen("127.0.0.1", 0)
        cleanup.callback(listener.close)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "BATON_"))
        }
        environment |= {
            "DATABASE_URL": dsn,
            "BATON_TASK_QUEUE": QUEUE,
            "TEMPORAL_ADDRESS": server.address,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            VARIABLE: marks.address,
        }
        port = listener.getsockname()[1]
        stack = BenchStack(dsn, credentials.tenant, credentials.api_key, client, marks, port, logs, environment, parts)
        await asyncio.gather(
            run(stack.part("worker", ["-m", "bench.baton_worker"], worker_polls(client, QUEUE), [])),
            run(stack.part("bare worker", ["-m", "bench.bare_worker"], worker_polls(client, BARE_QUEUE), [])),
            run(stack.server("api", ["-m", "baton.cli", "api", "--fd"], listener)),
        )
        yield stack


async def _connect(address: str) -> Client:
    async with asyncio.timeout(20):
        while True:
            try:
                return await Client.connect(address)
            except RuntimeError:  # the port is open, the namespace not there yet
                await asyncio.sleep(0.1)


async def _create_bench_table(dsn: str) -> None:
    pool = await open_pool(dsn, min_size=0, max_size=1, application="bench")
    async with pool.connection() as connection:
        await connection.execute(TABLE)
    await pool.close()
