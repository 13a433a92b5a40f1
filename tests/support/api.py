"""The API as a server of its own, in this process: real HTTP, real PostgreSQL, keys of two tenants."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn
from pydantic import SecretStr

from api.app import BatonApp, create_app
from api.connection import server_config
from baton.domain.agents import Scope
from baton.domain.events import NewEvent, TextDelta, TurnEnded
from baton.domain.mailbox import Ending
from baton.domain.quota import UNLIMITED
from baton.domain.states import ExecutionState, TaskState
from baton.settings import Settings
from baton.store import events
from baton.store.pool import Pool, open_pool
from tests.support.keys import create_key

#: Nobody listens there: Temporal is away, and nothing that is tested here may mind.
NOWHERE = "127.0.0.1:9"


@dataclass
class RunningApi:
    """A running API. ``key`` may do everything in ``tenant``, ``other_key`` in ``other_tenant``."""

    url: str
    app: BatonApp
    pool: Pool
    settings: Settings
    tenant: str
    key: str
    other_tenant: str
    other_key: str
    clients: list[httpx.AsyncClient] = field(default_factory=list[httpx.AsyncClient])

    async def for_new_tenants(self) -> "RunningApi":
        """The same API, with keys of two new tenants."""
        one, other = f"acme-{uuid4()}", f"globex-{uuid4()}"
        return replace(
            self,
            tenant=one,
            key=await create_key(self.pool, one, tuple(Scope), per_minute=UNLIMITED),
            other_tenant=other,
            other_key=await create_key(self.pool, other, tuple(Scope), per_minute=UNLIMITED),
            clients=[],
        )

    async def close_clients(self) -> None:
        """Close the clients that were made."""
        for client in self.clients:
            await client.aclose()

    @property
    def http(self) -> httpx.AsyncClient:
        """A client with the tenant's key."""
        return self.client(self.key)

    def client(self, key: str | None) -> httpx.AsyncClient:
        """A client with ``key``; None sends no credentials."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        client = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20, trust_env=False)
        self.clients.append(client)
        return client

    async def give_tools(self, *names: str) -> None:
        """Let the tenant's agents call these tools, and no others."""
        async with self.pool.connection() as connection:
            tenant = await connection.fetchval("SELECT id FROM tenants WHERE name = $1", self.tenant)
            await connection.execute("UPDATE agents SET tools = $2 WHERE tenant_id = $1", tenant, list(names))

    async def new_key(self, *scopes: Scope, agent_number: int | None = None, per_minute: int | None = UNLIMITED) -> str:
        """Another key of the tenant."""
        return await create_key(
            self.pool, self.tenant, scopes or tuple(Scope), agent_number=agent_number, per_minute=per_minute
        )

    async def tenant_id(self) -> UUID:
        """The tenant's id."""
        async with self.pool.connection() as connection:
            return await connection.fetchval("SELECT id FROM tenants WHERE name = $1", self.tenant)

    async def set_task(self, task_id: UUID | str, **columns: Any) -> None:
        """Put a task into a state, as an agent's work would."""
        if columns.get("state") == "waiting":
            columns.setdefault("waiting_since", datetime.now(UTC))
        names = ", ".join(f"{name} = ${n}" for n, name in enumerate(columns, 2))
        async with self.pool.connection() as connection:
            await connection.execute(
                f"UPDATE tasks SET {names}, version = version + 1 WHERE id = $1", UUID(str(task_id)), *columns.values()
            )

    async def set_execution(self, execution_id: UUID | str, state: str) -> None:
        """Put an execution into a state, as its tasks would."""
        async with self.pool.connection() as connection:
            await connection.execute("UPDATE executions SET state = $2 WHERE id = $1", UUID(str(execution_id)), state)

    async def ask(self, task_id: UUID | str, text: str, question: str = "q1", schema: Any = None) -> None:
        """Have a task wait with a question, after a turn."""
        asked: dict[str, Any] = {"id": question, "text": text, "choices": [], "schema": schema}
        asked["asked_at"] = "2026-01-01T00:00:00+00:00"
        async with self.pool.connection() as connection:
            await connection.execute(
                "UPDATE tasks SET state = 'waiting', version = version + 1, waiting_since = now(), turn = 1,"
                " open_questions = $2, answers_ruled = $3 WHERE id = $1",
                UUID(str(task_id)),
                [asked],
                schema is not None,
            )
            await connection.execute(
                "UPDATE executions SET state = 'waiting' WHERE id = (SELECT execution_id FROM tasks WHERE id = $1)",
                UUID(str(task_id)),
            )

    async def append(
        self,
        execution_id: UUID | str,
        *new: NewEvent,
        positions: dict[object, int] | None = None,
        state: ExecutionState | None = None,
        hint: bool = True,
    ) -> int:
        """Append events to a log, as a worker would; ``hint``: with a NOTIFY. The number of the last."""
        async with self.pool.transaction() as connection:
            seq = await events.append(
                connection, await self.tenant_id(), UUID(str(execution_id)), new, positions=positions or {}, state=state
            )
        if hint:
            self.app.state.baton.notifier.events(UUID(str(execution_id)))
        return seq


def delta(text: str, task_id: UUID | None = None, *, step: int = 0, attempt: int = 1) -> NewEvent:
    """A piece of streamed text."""
    return NewEvent(TextDelta(turn=1, step=step, attempt=attempt, text=text), task_id)


def ended(task_id: UUID, state: TaskState, **fields: Any) -> NewEvent:
    """A turn's end that brings about ``state``. ``fields``: of the body, beyond those that every end has."""
    return NewEvent(TurnEnded(turn=1, outcome=Ending.ANSWERED, **fields), task_id, state)


@asynccontextmanager
async def running_api(
    dsn: str, door: Callable[[BatonApp], Any] = lambda app: app, /, **settings: Any
) -> AsyncGenerator[RunningApi]:
    """The API on a free port, with Temporal away unless `TEMPORAL_ADDRESS` was set otherwise. ``door``: what stands
    before the application."""
    configured = Settings(database_url=SecretStr(dsn), **settings)
    app = create_app(configured)
    listener = socket.create_server(("127.0.0.1", 0))
    config = server_config(door(app), log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(_serve(server, listener))
    while not server.started:
        if serving.done():
            serving.result()
            raise RuntimeError("the API did not start")
        await asyncio.sleep(0.01)
    pool = await open_pool(dsn, min_size=1, max_size=4, application="test")
    host, port = listener.getsockname()
    api = RunningApi(
        url=f"http://{host}:{port}",
        app=app,
        pool=pool,
        settings=configured,
        tenant="acme",
        key=await create_key(pool, "acme", tuple(Scope), per_minute=UNLIMITED),
        other_tenant="globex",
        other_key=await create_key(pool, "globex", tuple(Scope), per_minute=UNLIMITED),
    )
    try:
        yield api
    finally:
        await api.close_clients()
        app.state.stopping.set()
        server.should_exit = True
        await serving
        await pool.close()


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    await server.serve(sockets=[listener])


def _no_signals() -> Any:
    return nullcontext()
