"""The API with a worker, PostgreSQL and Temporal, all real, shared by the tests of this folder.

In this process, and as a `baton dev` of its own: for clients that vendors have published or that were generated.
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from uuid import uuid4

import pytest

import worker
from baton.store import catalogs
from tests.support.api import RunningApi, running_api
from tests.support.clients import Deployment
from tests.support.postgres import PostgresServer
from tests.support.stack import running_stack
from tests.support.system import eventually
from tests.support.temporal import RunningTemporal

TOOLS = ("tests.support.tools",)


@pytest.fixture(scope="package")
async def shared_working_api(postgres: PostgresServer, temporal_server: RunningTemporal) -> AsyncGenerator[RunningApi]:
    """A running API, and a worker that serves its task queue."""
    dsn = await postgres.create_database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
        async with running_api(
            dsn, task_queue=f"walks-{uuid4()}", stream_retry_seconds=0.1, tools_modules=TOOLS
        ) as api:
            stop = asyncio.Event()
            serving = asyncio.create_task(worker.serve(api.settings, stop=stop, fail_fast=True))
            await eventually(partial(_is_at_work, api), seconds=60)
            yield api
            stop.set()
            await serving


async def _is_at_work(api: RunningApi) -> bool:
    """Whether the worker has said what it has. Until then its start may keep the loop, which is the API's too, busy."""
    async with api.pool.connection() as connection:
        return await catalogs.current(connection) is not None


@pytest.fixture
async def api(shared_working_api: RunningApi) -> AsyncGenerator[RunningApi]:
    """The running API, with keys of two tenants that nobody has used before."""
    mine = await shared_working_api.for_new_tenants()
    yield mine
    await mine.close_clients()


@pytest.fixture(scope="package")
async def deployment(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Deployment]:
    """A running `baton dev`, whose default agent is the scripted one."""
    async with running_stack(tmp_path_factory.mktemp("walks") / "stack") as stack, stack.client() as http:
        (agent,) = (await http.get("/baton/v1/agents")).json()["items"]
        yield Deployment(
            stack.url, stack.api_key, stack.ready["task_queue"], agent["id"], agent["number"], agent["name"]
        )
