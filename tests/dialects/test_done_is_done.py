"""Is a caller ever told that what was done could not be? After the commit nothing may fail."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from baton.domain.agents import Principal, Scope
from baton.domain.errors import Unavailable
from baton.domain.ids import TaskById
from baton.service import control
from baton.service.context import Baton
from baton.store.pool import Connection, Pool
from tests.dialects.requests import kubiya_task, start_plan, start_task
from tests.support.api import RunningApi

ONE: dict[str, Callable[[Baton, Principal, TaskById], Awaitable[object]]] = {
    "pause": control.pause,
    "cancel": control.cancel,
}
ALL: dict[str, Callable[[Baton, Principal, UUID], Awaitable[object]]] = {
    "pause": control.pause_execution,
    "cancel": control.cancel_execution,
}


@pytest.fixture
def away_after_commit(lone_api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    """PostgreSQL goes away with the first commit."""
    pool: Pool = lone_api.app.state.baton.pool
    transaction, connection, gone = pool.transaction, pool.connection, False

    @asynccontextmanager
    async def last_transaction() -> AsyncGenerator[Connection]:
        nonlocal gone
        async with transaction() as held:
            yield held
        gone = True

    @asynccontextmanager
    async def no_connection() -> AsyncGenerator[Connection]:
        if gone:
            raise Unavailable("away")
        async with connection() as held:
            yield held

    def transactions(_: Pool, _execution: UUID | None = None) -> AbstractAsyncContextManager[Connection]:
        return last_transaction()

    def connections(_: Pool, _execution: UUID | None = None) -> AbstractAsyncContextManager[Connection]:
        return no_connection()

    monkeypatch.setattr(Pool, "transaction", transactions)
    monkeypatch.setattr(Pool, "connection", connections)
    return lone_api


async def principal(api: RunningApi) -> Principal:
    return Principal(await api.tenant_id(), api.tenant, "somebody", "key", frozenset(Scope))


async def row(api: RunningApi, task: UUID) -> dict[str, Any]:
    async with api.pool._pool.acquire() as connection:  # pyright: ignore[reportPrivateUsage]
        found = await connection.fetchrow("SELECT state FROM tasks WHERE id = $1", task)
    assert found is not None
    return dict(found)


@pytest.mark.parametrize("verb", ONE)
async def test_a_task(lone_api: RunningApi, verb: str, request: pytest.FixtureRequest) -> None:
    task = UUID((await start_task(lone_api.http))["tasks"][0]["id"])
    who = await principal(lone_api)
    baton = request.getfixturevalue("away_after_commit").app.state.baton
    await ONE[verb](baton, who, TaskById(task))
    assert (await row(lone_api, task))["state"] == {"pause": "paused", "cancel": "cancelled"}[verb]


@pytest.mark.parametrize("verb", ALL)
async def test_an_execution(lone_api: RunningApi, verb: str, request: pytest.FixtureRequest) -> None:
    execution = UUID(await start_plan(lone_api.http, kubiya_task(1), kubiya_task(2)))
    async with lone_api.pool.connection() as connection:
        await connection.execute("UPDATE tasks SET state = 'running'")
    who = await principal(lone_api)
    baton = request.getfixturevalue("away_after_commit").app.state.baton
    await ALL[verb](baton, who, execution)
    async with lone_api.pool._pool.acquire() as connection:  # pyright: ignore[reportPrivateUsage]
        states = {found["state"] for found in await connection.fetch("SELECT state FROM tasks")}
    assert states == {{"pause": "paused", "cancel": "cancelled"}[verb]}
