"""What one key, tenant or stranger may hold open of an API process, and what is left for the others."""

import asyncio
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from urllib.parse import urlparse
from uuid import UUID

import httpx
import pytest

from api import serving
from baton.runtime.files import raise_file_limit
from baton.settings import Settings
from tests.dialects.requests import kubiya_task, start_plan, start_task
from tests.support.api import RunningApi, running_api
from tests.support.keys import create_key
from tests.support.system import eventually

STREAMS = 8
PER_KEY = 3
CONNECTIONS = 12


@pytest.fixture
async def small_api(shared_database_url: str) -> AsyncGenerator[RunningApi]:
    limits = {"max_streams": STREAMS, "streams_per_key": PER_KEY, "max_connections": CONNECTIONS, "metrics_port": 0}
    async with running_api(shared_database_url, **limits) as running:
        mine = await running.for_new_tenants()
        yield mine
        await mine.close_clients()


async def opened(stack: AsyncExitStack, client: httpx.AsyncClient, path: str) -> httpx.Response:
    return await stack.enter_async_context(client.stream("GET", path))


async def test_streams_are_limited_per_key_and_tenant_and_come_free_again(small_api: RunningApi) -> None:
    execution = await start_plan(small_api.http, kubiya_task(1))
    path = f"/baton/v1/executions/{execution}/events"
    one, two = [small_api.client(await small_api.new_key(per_minute=1000)) for _ in range(2)]
    async with AsyncExitStack() as stack:
        for _ in range(PER_KEY):
            assert (await opened(stack, one, path)).status_code == 200
        refused = await opened(stack, one, path)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert "3 at once" in (await refused.aread()).decode()
        assert (await opened(stack, two, path)).status_code == 200  # the tenant has four of eight now: its share
        refused = await opened(stack, two, path)
        assert refused.status_code == 429
        assert b"the tenant has used its share" in await refused.aread()
        kubiya = await opened(stack, two, f"/api/v1/executions/{execution}/stream")
        assert kubiya.status_code == 429
        other = small_api.client(await create_key(small_api.pool, small_api.other_tenant, per_minute=1000))
        theirs = await start_plan(other, kubiya_task(1))
        assert (await opened(stack, other, f"/baton/v1/executions/{theirs}/events")).status_code == 200
        assert (await opened(stack, small_api.http, path)).status_code == 200  # a key without limits

    async def free_again() -> bool:
        async with one.stream("GET", path) as response:
            return response.status_code == 200

    await eventually(free_again)


async def test_a_stream_that_is_refused_or_has_nothing_to_say_is_not_counted(small_api: RunningApi) -> None:
    client = small_api.client(await small_api.new_key(per_minute=1000))
    execution = await start_plan(client, kubiya_task(1))
    for _ in range(PER_KEY + 1):
        assert (await client.get(f"/baton/v1/executions/{UUID(int=1)}/events")).status_code == 404
        beyond = await client.get(f"/baton/v1/executions/{execution}/events?after=1000000")
        assert beyond.status_code == 422
        assert (await client.head(f"/baton/v1/executions/{execution}/events")).status_code == 200


async def test_idle_connections_make_room_and_the_log_says_so(
    small_api: RunningApi, caplog: pytest.LogCaptureFixture
) -> None:
    where = urlparse(small_api.url)
    strangers = [socket.create_connection((where.hostname, where.port)) for _ in range(5 * CONNECTIONS)]
    try:
        await asyncio.sleep(0.1)
        assert await _probed(small_api.url) == 200
        assert await start_task(small_api.http, "!say hi")
        assert caplog.text.count("BATON_MAX_CONNECTIONS") == 1
    finally:
        for stranger in strangers:
            stranger.close()


async def test_a_connection_too_many_is_refused_while_all_are_at_work(small_api: RunningApi) -> None:
    client = small_api.http
    execution = await start_plan(client, kubiya_task(1))
    path = f"/baton/v1/executions/{execution}/events"
    async with AsyncExitStack() as stack:
        for _ in range(STREAMS):
            assert (await opened(stack, client, path)).status_code == 200
        where = urlparse(small_api.url)
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small_api.key}\r\n\r\n".encode()
        # More than the streams that there may be: requests whose bodies do not come.
        slow = head.replace(b"GET", b"POST").replace(path.encode(), b"/baton/v1/executions")
        slow = slow.replace(b"\r\n\r\n", b"\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n")
        for _ in range(CONNECTIONS - STREAMS):
            _, writer = await asyncio.open_connection(where.hostname, where.port)
            stack.callback(writer.close)
            writer.write(slow)
            await writer.drain()
        await asyncio.sleep(0.2)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        stack.callback(writer.close)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in answer.lower()
        assert small_api.app.metrics_address is not None
        apart = "http://{}:{}".format(*small_api.app.metrics_address)
        assert [await _probed(apart, page) for page in ("livez", "readyz")] == [200, 200], "callers cannot use it up"


async def _probed(url: str, page: str = "livez") -> int:
    """What a probe gets, over a connection of its own."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{url}/{page}")).status_code


def test_the_limit_of_open_files_is_raised_to_the_hard_one() -> None:
    code = (
        "import resource; from baton.runtime.files import raise_file_limit;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300));"
        "print(raise_file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["300", "300", "300"]


def test_too_few_files_are_told_and_the_limits_follow(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(max_connections=5000, max_streams=4000, pool_max_size=16)
    assert serving.within_files(10_000, settings) is settings
    assert not caplog.text
    fewer = serving.within_files(1024, settings)
    assert (fewer.max_connections, fewer.max_streams) == (944, 755)
    assert "944 connections" in caplog.text
    assert raise_file_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
