"""Does what one caller asks for at once stay small in the API's process, whatever rows and events hold?"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable
from contextlib import ExitStack
from typing import Any, Final
from urllib.parse import urlparse
from uuid import UUID

import pytest

from tests.hostile.world import Target, api_process
from tests.support.api import RunningApi, delta
from tests.support.postgres import PostgresServer

V1: Final = "/baton/v1"
MB: Final = 1_000_000
#: Far below what the rows or events of any of these tests hold, several times over; far above what a page costs.
MOST: Final = 100 * MB
#: Text of that many times 32 characters that does not compress.
DENSE: Final = "(SELECT string_agg(md5(n::text || t.id::text), '') FROM generate_series(1, {}) n)"


@pytest.fixture
async def target(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Target]:
    """A fresh process: what others have left in its memory would hide what is measured."""
    dsn = await postgres.create_database()
    async with api_process(dsn, tmp_path_factory.mktemp("memory")) as started:
        await grown(started, started.api.http.get(f"{V1}/executions"))  # what the first request of all costs
        yield started
    await postgres.drop_database(dsn)


async def grown(target: Target, work: Awaitable[Any]) -> int:
    """By how many bytes the process was larger at most while something was done than before."""
    before = most = target.resident_bytes
    done = asyncio.ensure_future(work)
    while not done.done():
        await asyncio.wait([done], timeout=0.01)
        most = max(most, target.resident_bytes)
    done.result()
    return most - before


async def at_once(api: RunningApi, path: str, times: int) -> list[int]:
    """The same request several times at once; the sizes of the answers."""
    answers = await asyncio.gather(*(api.client(api.key).get(path) for _ in range(times)))
    assert [answer.status_code for answer in answers] == [200] * times
    return [len(answer.content) for answer in answers]


async def test_pages_of_large_rows(target: Target) -> None:
    for _ in range(20):
        assert (await target.api.http.post(f"{V1}/executions", json={"prompt": "x"})).status_code == 201
    async with target.api.pool.connection() as connection:  # 3.8 MB each, 77 MB in all
        await connection.execute(f"UPDATE executions t SET metadata = jsonb_build_object('a', {DENSE.format(120_000)})")
    assert await grown(target, at_once(target.api, f"{V1}/executions?limit=200", 4)) < MOST


async def test_a_plan_whose_tasks_have_large_results(target: Target) -> None:
    tasks = [{"id": number, "title": f"t{number}", "description": "x"} for number in range(1, 61)]
    started = await target.api.http.post(f"{V1}/executions", json={"plan": {"title": "large", "tasks": tasks}})
    execution = started.json()["id"]
    async with target.api.pool.connection() as connection:  # 1 MB each, 60 MB in all
        await connection.execute(f"UPDATE tasks t SET state = 'succeeded', result = {DENSE.format(31_250)}")
    for path in (
        f"{V1}/executions/{execution}",
        f"/api/v1/tasks/plan/{execution}",
        f"/agents/v2/executions/{execution}",
    ):
        assert await grown(target, at_once(target.api, path, 4)) < MOST, path


async def test_readers_that_do_not_read(target: Target) -> None:
    """Twenty at the beginning of a log of 26 MB, and ten of its export."""
    started = (await target.api.http.post(f"{V1}/executions", json={"prompt": "x"})).json()
    for _ in range(26):
        await target.api.append(UUID(started["id"]), delta("x" * MB), hint=False)
    path, export = (f"{V1}/executions/{started['id']}/{kind}" for kind in ("events", "export"))
    where = urlparse(target.api.url)

    async def read_on_beside_them() -> None:
        read = 0
        async with target.api.client(target.api.key).stream("GET", path) as stream:
            async for piece in stream.aiter_bytes():
                read += len(piece)
                if read > 26 * MB:
                    return

    async def stall() -> None:
        with ExitStack() as opened:
            readers = [opened.enter_context(socket.socket()) for _ in range(30)]
            loop = asyncio.get_running_loop()
            for asked, reader in zip([path] * 20 + [export] * 10, readers, strict=True):
                reader.setblocking(False)
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await loop.sock_connect(reader, (where.hostname, where.port))
                request = f"GET {asked} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.api.key}\r\n\r\n"
                await loop.sock_sendall(reader, request.encode())
            for reader in readers:  # the answer has begun
                assert (await loop.sock_recv(reader, 12)).startswith(b"HTTP/1.1 200")
            await read_on_beside_them()

    async with asyncio.timeout(60):
        assert await grown(target, stall()) < MOST
