"""Baton in this process: the service as an API process has it, and a worker, on real servers."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from pydantic import SecretStr

import worker
from baton.domain.agents import Agent, Principal, Scope
from baton.domain.events import Event
from baton.domain.ids import TaskById, TaskInPlan
from baton.domain.json import JsonObject
from baton.domain.messages import Draft, Receipt
from baton.domain.plan_options import NamedAgent
from baton.domain.plans import Plan, PlanTask
from baton.service import messages, starts
from baton.service.context import Baton, open_baton
from baton.service.tenants import ensure_tenant
from baton.settings import Settings
from baton.store import agents, events
from tests.support.temporal import RunningTemporal

_T = TypeVar("_T")

#: A row by its columns, as asyncpg decodes them.
Row = dict[str, Any]


@dataclass(slots=True)
class System:
    """A tenant's view of a running Baton."""

    baton: Baton
    who: Principal
    temporal: RunningTemporal
    queue: str

    async def start(self, prompt: str, agent: UUID | None = None, title: str = "a task", **options: Any) -> UUID:
        """Start a single task, of the default agent if none is named; its id."""
        started = await starts.start_task(
            self.baton, self.who, prompt, title=title, queue=self.queue, agent=agent, **options
        )
        return started.tasks[0]

    async def agent(
        self, *tools: str, policies: dict[str, str] | None = None, limits: dict[str, int] | None = None
    ) -> UUID:
        """A new agent with these tools, limits and policies, by default one that may call all of them; its id."""
        new = Agent(
            self.who.tenant_id,
            uuid4(),
            0,
            f"agent-{uuid4()}",
            "scripted",
            tools=tools,
            policies=cast("JsonObject", policies or {"*": "allow"}),
            limits=cast("JsonObject", limits or {}),
        )
        async with self.baton.pool.connection() as connection:
            return (await agents.insert(connection, new)).id

    async def start_plan(self, *tasks: tuple[str, tuple[int, ...]], agents: dict[int, UUID] | None = None) -> UUID:
        """Start a plan of (description, positions that it needs), numbered from 1; the execution's id. ``agents``: of
        tasks that have other ones than the tenant's default."""
        named = {position: NamedAgent(agent, ("body",)) for position, agent in (agents or {}).items()}
        numbered = tuple(
            PlanTask(n, f"task {n}", text, needs, agent=named.get(n)) for n, (text, needs) in enumerate(tasks, 1)
        )
        plan = Plan("a plan", "", numbered, source={})
        return (await starts.start_plan(self.baton, self.who, plan, queue=self.queue)).execution_id

    async def send(self, task: UUID | tuple[UUID, int], text: str, **options: Any) -> Receipt:
        """Send a message to a task, by its id or by (execution, position)."""
        address = TaskById(task) if isinstance(task, UUID) else TaskInPlan(*task)
        draft = Draft(text, origin="test", **options)
        return (await messages.send_message(self.baton, self.who, address, draft)).receipt

    async def row(self, task: UUID) -> Row:
        """A task's row."""
        async with self.baton.pool.connection() as connection:
            found = await connection.fetchrow(
                "SELECT * FROM tasks WHERE tenant_id = $1 AND id = $2", self.who.tenant_id, task
            )
        assert found is not None
        return dict(found)

    async def tasks_of(self, execution: UUID) -> dict[int, Row]:
        """An execution's tasks, by position."""
        async with self.baton.pool.connection() as connection:
            rows = await connection.fetch(
                "SELECT * FROM tasks WHERE tenant_id = $1 AND execution_id = $2", self.who.tenant_id, execution
            )
        return {row["position"]: dict(row) for row in rows}

    async def until(self, task: UUID, *states: str, seconds: float = 30) -> Row:
        """Wait until a task is in one of ``states``, with no turn under way; its row."""

        async def there() -> Row | None:
            row = await self.row(task)
            return row if row["state"] in states and not row["turn_open"] else None

        return await eventually(there, seconds)

    async def log(self, execution: UUID) -> list[Event]:
        """An execution's events."""
        async with self.baton.pool.connection() as connection:
            return await events.after(connection, self.who.tenant_id, execution, 0, 100_000)

    async def execution_of(self, task: UUID) -> UUID:
        """The execution that a task belongs to."""
        found = (await self.row(task))["execution_id"]
        assert isinstance(found, UUID)
        return found


async def eventually(look: Callable[[], Awaitable[_T | None]], seconds: float = 30) -> _T:
    """Look until there is something; fail after ``seconds``."""
    async with asyncio.timeout(seconds):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_system(
    dsn: str, temporal: RunningTemporal, *, workers: bool = True, fail_fast: bool = True, **settings: Any
) -> AsyncGenerator[System]:
    """Baton on a database and a Temporal server, with a task queue of its own. ``fail_fast``: see `worker.serve`."""
    os.environ["TEMPORAL_ADDRESS"] = temporal.address
    queue = f"test-{uuid4()}"
    quick: dict[str, Any] = {"worker_drain_seconds": 0, "worker_shutdown_seconds": 5}  # nobody else is to take over
    configured = Settings(database_url=SecretStr(dsn), task_queue=queue, **(quick | settings))
    baton = await open_baton(configured)
    tenant_id = await ensure_tenant(baton.pool, "acme")
    who = Principal(tenant_id, "acme", "tester", "key", frozenset({Scope.ADMIN}))
    stop = asyncio.Event()
    serving = asyncio.create_task(worker.serve(configured, queue, stop=stop, fail_fast=fail_fast)) if workers else None
    try:
        yield System(baton, who, temporal, queue)
    finally:
        stop.set()
        if serving:
            await serving
        await baton.close()
