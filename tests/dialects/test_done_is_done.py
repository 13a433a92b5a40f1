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


def verbs_of(path: str, *verbs: str) -> dict[str, str]:
    return {f"{path} {verb}": f"{path}/{verb}" for verb in verbs}


#: Routes that control something: $T is a running task, $E its execution, $P a plan.
ROUTES = (
    verbs_of("/baton/v1/tasks/$T", "pause", "cancel")
    | verbs_of("/baton/v1/executions/$P", "pause", "cancel")
    | verbs_of("/api/v1/executions/$E", "pause", "cancel")
    | verbs_of("/api/v1/executions/$P", "pause", "cancel")
    | verbs_of("/v1/ai/agents/tasks/$T", "stop")
    | verbs_of("/api/v1/tasks/$T", "cancel", "archive")
    | verbs_of("/api/v1/jobs/$T", "cancel")
    | verbs_of("/agents/v2/executions/$E", "pause", "cancel")
    | verbs_of("/agents/v2/executions/$P", "pause", "cancel")
)


@pytest.mark.parametrize("path", ROUTES.values(), ids=ROUTES)
async def test_every_route_answers_from_what_its_transaction_saw(
    lone_api: RunningApi, path: str, request: pytest.FixtureRequest
) -> None:
    started = await start_task(lone_api.http)
    plan = await start_plan(lone_api.http, kubiya_task(1), kubiya_task(2))
    async with lone_api.pool.connection() as connection:
        await connection.execute("UPDATE tasks SET state = 'running'")
    assert (await lone_api.http.get("/api/v1/auth/me")).status_code == 200  # the key is known from now on
    api: RunningApi = request.getfixturevalue("away_after_commit")
    for name, value in (("$T", started["tasks"][0]["id"]), ("$E", started["id"]), ("$P", plan)):
        path = path.replace(name, value)
    answer = await api.http.post(path)
    assert answer.is_success, answer.text


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_start(lone_api: RunningApi, key: str | None, request: pytest.FixtureRequest) -> None:
    assert (await lone_api.http.get("/api/v1/auth/me")).status_code == 200
    agent = (await lone_api.http.get("/baton/v1/agents")).json()["items"][0]["number"]
    api: RunningApi = request.getfixturevalue("away_after_commit")
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"agent_id": agent, "message": {"role": "user", "content": "!say hi"}}
    answer = await api.http.post("/v1/chat/tasks", json=body, headers=headers)
    assert answer.status_code == 202, answer.text


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
