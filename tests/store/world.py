"""A tenant in a database of its own, and its tasks as workers and callers come to them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg

from baton.domain.agents import Agent
from baton.domain.approvals import ToolRules
from baton.domain.conversation import ModelReply, Question, ToolCall, ToolResult
from baton.domain.events import Event
from baton.domain.events.parts import PausedTask, WaitingTask
from baton.domain.ids import StepKey, TaskById, TaskRoute, whole_tenant
from baton.domain.json import JsonObject
from baton.domain.mailbox import Mailbox, Standing
from baton.domain.messages import Draft, Receipt
from baton.domain.states import SendMode, TaskState
from baton.service.sends import Sends
from baton.store import agents, control, creation, events, failures, mailboxes, messages, routes, steps, tenants
from baton.store.creation import NewExecution, NewTask
from baton.store.messages import PreparedMessage
from baton.store.plans import PlanStanding, advance_plan
from baton.store.pool import Connection, Pool, open_pool
from baton.store.steps import Delta, StepAttempt
from baton.store.waiting import waiting_after
from tests.support.authors import author

NO_RULES = ToolRules({"*": "allow"})

#: Runs a coroutine in a loop of its own, for what Hypothesis steps.
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@asynccontextmanager
async def opened_pool(dsn: str, connections: int = 24) -> AsyncGenerator[Pool]:
    """Up to ``connections`` to ``dsn``, with time limits for a slow machine."""
    pool = await open_pool(dsn, min_size=1, max_size=connections, statement_seconds=30, acquire_seconds=30)
    try:
        yield pool
    finally:
        await pool.close()


async def empty(connection: Connection) -> None:
    """Delete all rows but the list of migrations."""
    tables = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
    )
    deletes = ";".join(f"DELETE FROM {table['tablename']}" for table in tables)
    # As a replica does it, without foreign keys: all that they hold together goes.
    await connection.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {deletes}; COMMIT")


@dataclass(slots=True)
class World:
    """A tenant with one agent."""

    pool: Pool
    dsn: str
    tenant: UUID
    agent: Agent

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, *, connections: int = 16) -> "AsyncGenerator[World]":
        """A new tenant in the database at ``dsn``, with connections of its own."""
        async with opened_pool(dsn, connections) as pool:
            yield await cls.create(dsn, pool)

    @classmethod
    async def create(cls, dsn: str, pool: Pool) -> "World":
        """A new tenant in the database at ``dsn``, which ``pool`` is connected to."""
        async with pool.connection() as connection:
            tenant = await tenants.ensure(connection, f"tenant-{uuid4()}")
        world = cls(pool, dsn, tenant, Agent(tenant, uuid4(), 0, "assistant", "scripted"))
        world.agent = await world.new_agent()
        return world

    async def new_agent(self, mode: SendMode = SendMode.QUEUE) -> Agent:
        """Another agent, whose messages have this mode unless they say otherwise."""
        name = f"agent-{uuid4()}"
        async with self.pool.connection() as connection:
            tools = ("clock", "write", "drop", "linger")
            new = Agent(self.tenant, uuid4(), 0, name, "scripted", tools=tools, mode=mode)
            return await agents.insert(connection, new)

    async def task(self, agent: Agent | None = None) -> TaskRoute:
        """A single task: running, no turn begun."""
        return (await self._create(False, [()], agent))[0]

    async def plan(self, *needs: tuple[int, ...]) -> list[TaskRoute]:
        """A plan's tasks, numbered from 1, all pending. ``needs``: what each depends on."""
        return await self._create(True, needs, None)

    async def _create(self, in_plan: bool, needs: Sequence[tuple[int, ...]], agent: Agent | None) -> list[TaskRoute]:
        new = NewExecution(
            tenant_id=self.tenant,
            id=uuid4(),
            in_plan=in_plan,
            agent_id=(agent or self.agent).id,
            title="an execution",
            queue="a-queue",
            tasks=tuple(NewTask(uuid4(), n, f"task {n}", "do it", need) for n, need in enumerate(needs, 1)),
        )
        async with self.pool.connection() as connection:
            await creation.create(connection, new, ring_seconds=60)
            return [await routes.route(connection, whole_tenant(self.tenant), TaskById(task.id)) for task in new.tasks]

    async def in_state(self, state: TaskState, *, turn_open: bool = False) -> TaskRoute:
        """A task of a plan in ``state``, brought there as it would be: a waiting one asks one question, `q`."""
        (route,) = await self.plan(())
        if state is TaskState.PENDING:
            return route
        await self.advance(route)
        if state is TaskState.CANCELLED:
            await self.cancel(route)
            return route
        if state is TaskState.RUNNING and not turn_open:
            return route
        started = await self.start(route, 1)
        assert isinstance(started, StepAttempt)
        if turn_open:
            assert state is TaskState.RUNNING
        elif state is TaskState.WAITING:
            await self.record(route, 1, asks=[question("q")])
        elif state is TaskState.SUCCEEDED:
            await self.record(route, 1)
        elif state is TaskState.FAILED:
            await self.fail(route, 1)
        else:
            await self.pause(route)
            await self.record(route, 1)
        assert (await self.box(route)).state is state
        return route

    async def send(self, route: TaskRoute, text: str = "hello", **draft: Any) -> Receipt:
        """Accept a message by itself."""
        async with self.pool.connection() as connection:
            return await messages.accept(connection, route, Draft(text, "test", **draft), author(), relay_seconds=60)

    async def send_together(self, sends: Sends, route: TaskRoute, text: str = "hello", **draft: Any) -> Receipt:
        """Accept a message as the service does, with whatever else is under way."""
        prepared = PreparedMessage.of(route, Draft(text, "test", **draft), author())
        async with sends.line(route.execution_id):
            return await sends.together(prepared) or await self.send(route, text, **draft)

    async def start(self, route: TaskRoute, turn: int, step: int = 0) -> StepAttempt | Standing:
        """A worker comes to take a step."""
        async with self.pool.transaction() as connection:
            return await steps.start_step(connection, key(route, turn, step))

    async def record(
        self,
        route: TaskRoute,
        turn: int,
        step: int = 0,
        attempt: int = 1,
        *,
        text: str = "done",
        asks: Sequence[Question] = (),
        calls: Sequence[ToolCall] = (),
        refused: Sequence[ToolResult] = (),
        streamed: Sequence[Delta] = (),
        rules: ToolRules = NO_RULES,
    ) -> Standing:
        """A worker records a step; its answer has the calls of ``asks``, then ``calls``."""
        asking = [ToolCall(one.call_id, "ask_user", {"question": one.text}) for one in asks]
        answer = ModelReply(text, (*asking, *calls), {"text": text})
        async with self.pool.transaction() as connection:
            return await steps.record_step(
                connection, key(route, turn, step), attempt, answer, asks, refused, streamed, rules
            )

    async def interrupted(
        self, route: TaskRoute, turn: int, step: int = 0, attempt: int = 1, *, text: str = "", **rest: Any
    ) -> Standing:
        """A worker records what a step had when it was interrupted."""
        async with self.pool.transaction() as connection:
            partial = ModelReply(text, (), {"text": text})
            return await steps.record_interrupted(
                connection, key(route, turn, step), attempt, partial, rest.get("streamed", ())
            )

    async def fail(self, route: TaskRoute, turn: int, code: str = "model_broken") -> Standing:
        """A turn has failed for good."""
        async with self.pool.transaction() as connection:
            return await failures.fail_turn(connection, key(route, turn, 0), code)

    async def stream(self, route: TaskRoute, turn: int, text: str, step: int = 0, attempt: int = 1) -> Delta:
        """A step has streamed ``text``, and the log has it."""
        delta = Delta(route.task_id, route.position, turn, step, attempt, text)
        async with self.pool.connection() as connection:
            await steps.append_deltas(connection, self.tenant, route.execution_id, [delta])
        return delta

    async def pause(self, route: TaskRoute) -> Standing:
        """Somebody pauses the task."""
        async with self.pool.transaction() as connection:
            return await control.pause(connection, route, author())

    async def resume(self, route: TaskRoute) -> Standing:
        """Somebody lets the task go on."""
        async with self.pool.transaction() as connection:
            return await control.resume(connection, route, author())

    async def cancel(self, route: TaskRoute) -> Standing:
        """Somebody cancels the task."""
        async with self.pool.transaction() as connection:
            return await control.cancel(connection, route, author())

    async def advance(self, route: TaskRoute) -> PlanStanding:
        """The plan looks at its tasks."""
        async with self.pool.transaction() as connection:
            return await advance_plan(connection, self.tenant, route.execution_id)

    async def waited_after(
        self, event: Event, *, most_bytes: int = 1_000_000, limit: int = 1000
    ) -> tuple[tuple[WaitingTask, ...], tuple[PausedTask, ...]]:
        """What the execution waited for after one of its events."""
        row = await self._one("SELECT execution_id FROM tasks WHERE tenant_id = $1 AND id = $2", event.task_id)
        async with self.pool.connection() as connection:
            return await waiting_after(
                connection, self.tenant, row["execution_id"], event.seq, most_bytes=most_bytes, limit=limit
            )

    async def box(self, route: TaskRoute) -> Mailbox:
        """The task's mailbox as it is now."""
        async with self.pool.transaction() as connection:
            return (await mailboxes.lock(connection, self.tenant, route.execution_id, route.task_id)).box

    async def row(self, route: TaskRoute) -> asyncpg.Record:
        """The task's row."""
        return await self._one("SELECT * FROM tasks WHERE tenant_id = $1 AND id = $2", route.task_id)

    async def execution(self, route: TaskRoute) -> asyncpg.Record:
        """The row of the task's execution."""
        return await self._one("SELECT * FROM executions WHERE tenant_id = $1 AND id = $2", route.execution_id)

    async def messages(self, route: TaskRoute) -> list[asyncpg.Record]:
        """The task's messages, in order."""
        return await self.rows(
            "SELECT * FROM messages WHERE tenant_id = $1 AND task_id = $2 ORDER BY seq", route.task_id
        )

    async def steps(self, route: TaskRoute) -> list[asyncpg.Record]:
        """The task's steps, in order."""
        return await self.rows(
            "SELECT * FROM steps WHERE tenant_id = $1 AND task_id = $2 ORDER BY turn, step", route.task_id
        )

    async def log(self, route: TaskRoute) -> list[Event]:
        """The execution's events, found to be without gaps."""
        async with self.pool.connection() as connection:
            log = await events.after(connection, self.tenant, route.execution_id, 0, 1_000_000)
        assert [event.seq for event in log] == list(range(1, len(log) + 1))
        assert (await self.execution(route))["event_seq"] == len(log)
        return log

    async def rows(self, statement: str, *args: object) -> list[asyncpg.Record]:
        """What a statement about this tenant gives."""
        async with self.pool.connection() as connection:
            return await connection.fetch(statement, self.tenant, *args)

    async def execute(self, statement: str, *args: object) -> None:
        """Change something of this tenant behind the store's back."""
        async with self.pool.connection() as connection:
            await connection.execute(statement, self.tenant, *args)

    async def blocked(self, count: int) -> None:
        """Wait until ``count`` connections wait for a lock."""
        statement = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE $1::uuid IS NOT NULL AND datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(20):
            while (await self._one(statement))["count"] < count:
                await asyncio.sleep(0.005)

    async def _one(self, statement: str, *args: object) -> asyncpg.Record:
        (row,) = await self.rows(statement, *args)
        return row


def key(route: TaskRoute, turn: int, step: int = 0) -> StepKey:
    """The name of a step."""
    return StepKey(route.tenant_id, route.execution_id, route.task_id, turn, step)


def question(id: str, schema: JsonObject | None = None) -> Question:
    """A question of a call of the same id."""
    return Question(id, f"{id}?", (), schema, call_id=f"call-{id}", turn=1, asked_at="2026-01-01T00:00:00+00:00")


def items(event: Event, name: str) -> list[dict[str, Any]]:
    """What an event's data list under ``name``."""
    return cast("list[dict[str, Any]]", event.data[name])


def call(id: str) -> ToolCall:
    """A tool call."""
    return ToolCall(id, "clock", {"zone": "UTC"})


__all__ = ["Connection", "World", "call", "empty", "items", "key", "question"]
