"""Executions: as they begin, and as they are now, always within one tenant."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from baton.domain.conversation import Attachment, Usage
from baton.domain.errors import ExecutionNotFound
from baton.domain.events import ExecutionCreated, NewEvent, TaskStarted
from baton.domain.events.codec import encode
from baton.domain.events.executions import PlannedTask
from baton.domain.ids import (
    AgentId,
    ExecutionId,
    ExecutionRoute,
    TaskId,
    TenantId,
)
from baton.domain.json import JsonObject, JsonValue
from baton.domain.states import ExecutionState, TaskState
from baton.domain.views import ExecutionView, TaskView
from baton.store.codecs import ATTACHMENTS
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval
from baton.store.routes import only_task
from baton.store.tasks import agent_ref_of, task_of


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that is to be made. ``position`` is its integer in the plan.

    ``granted_tools`` need no approvals in it; ``plan_only``: its agent may call no tool that changes things.
    """

    id: TaskId
    position: int
    title: str
    description: str
    depends_on: tuple[int, ...] = ()
    granted_tools: tuple[str, ...] = ()
    plan_only: bool = False
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class NewExecution:
    """An execution that is to be made. One that is not ``in_plan`` has exactly one task, which runs at once."""

    tenant_id: TenantId
    id: UUID
    in_plan: bool
    agent_id: AgentId
    title: str
    queue: str
    tasks: tuple[NewTask, ...]
    summary: str = ""
    plan: JsonObject = field(default_factory=dict[str, "JsonValue"])
    plan_generation_id: str | None = None
    metadata: JsonObject = field(default_factory=dict[str, "JsonValue"])


async def create(connection: Connection, new: NewExecution, *, ring_seconds: float) -> ExecutionId:
    """Store an execution, its tasks and its first events: one statement, so it is there whole or not at all.

    A plan's tasks are pending until its workflow looks; a single task is running, version 1. ``ring_seconds`` is how
    long the relay waits before it rings what nobody has taken up.
    """
    tasks: list[JsonObject] = [
        {
            "id": str(task.id),
            "position": task.position,
            "title": task.title,
            "description": task.description,
            "attachments": cast("list[JsonValue]", ATTACHMENTS.write(task.attachments)),
            "depends_on": cast("list[JsonValue]", list(task.depends_on)),
            "granted_tools": cast("list[JsonValue]", list(task.granted_tools)),
            "plan_only": task.plan_only,
        }
        for task in new.tasks
    ]
    planned = tuple(PlannedTask(id=task.id, position=task.position, title=task.title) for task in new.tasks)
    events = [NewEvent(ExecutionCreated(title=new.title, tasks=planned))]
    if not new.in_plan:
        events.append(NewEvent(TaskStarted(title=new.tasks[0].title)))
    await fetchval(
        connection,
        "create_execution",
        tenant=new.tenant_id,
        execution=new.id,
        in_plan=new.in_plan,
        agent=new.agent_id,
        title=new.title,
        summary=new.summary,
        plan=new.plan,
        plan_generation_id=new.plan_generation_id,
        metadata=new.metadata,
        queue=new.queue,
        state=ExecutionState.PENDING if new.in_plan else ExecutionState.RUNNING,
        ring_seconds=ring_seconds,
        tasks=tasks,
        types=[event.body.type for event in events],
        data=[encode(event) for event in events],
    )
    return new.id


async def route(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, *, agent_id: AgentId | None = None
) -> ExecutionRoute:
    """Where an execution lives: never changes, may be cached. ``agent_id``: whose alone counts, None for any agent's.

    Raises `ExecutionNotFound`.
    """
    row = await fetchrow(connection, "execution_route", tenant=tenant_id, execution=execution_id, agent=agent_id)
    if row is None:
        raise ExecutionNotFound("there is no such execution")
    return ExecutionRoute(
        tenant_id=tenant_id,
        tenant=row["tenant"],
        execution_id=execution_id,
        queue=row["queue"],
        agent_id=row["agent_id"],
        only=None if row["in_plan"] else await only_task(connection, tenant_id, execution_id),
    )


async def view(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> ExecutionView | None:
    """An execution with all its tasks, by position.

    The tasks are read after the execution's row: they may be newer than its `last_event`, and never older, so that
    whoever follows the log from there misses nothing.
    """
    row = await fetchrow(connection, "execution_view", tenant=tenant_id, execution=execution_id)
    if row is None:
        return None
    rows = await fetch(connection, "tasks_of_execution", tenant=tenant_id, execution=execution_id)
    tasks = tuple(task_of(task) for task in rows)
    counts: dict[TaskState, int] = {}
    for task in tasks:
        counts[task.state] = counts.get(task.state, 0) + 1
    return _execution_of(row, tasks, counts)


async def page(
    connection: Connection,
    tenant_id: TenantId,
    *,
    limit: int,
    states: Sequence[ExecutionState] | None = None,
    in_plan: bool | None = None,
    agent_id: AgentId | None = None,
    after: tuple[datetime, UUID] | None = None,
    offset: int = 0,
    asks: bool | None = None,
) -> list[ExecutionView]:
    """Executions, newest first, without their tasks and plans. ``after``: created_at and id where a page ended.

    ``asks``: of those that wait, those that do for an answer (True) or for consent alone (False).
    """
    created_at, execution_id = after or (None, None)
    rows = await fetch(
        connection,
        "list_executions",
        tenant=tenant_id,
        states=states,
        in_plan=in_plan,
        agent=agent_id,
        after_time=created_at,
        after_id=execution_id,
        limit=limit,
        offset=offset,
        asks=asks,
    )
    return [
        _execution_of(row, None, {TaskState(state): count for state, count in row["counts"].items()}) for row in rows
    ]


async def count(
    connection: Connection,
    tenant_id: TenantId,
    *,
    states: Sequence[ExecutionState] | None = None,
    in_plan: bool | None = None,
    agent_id: AgentId | None = None,
    asks: bool | None = None,
) -> int:
    """How many executions `page` would give in all."""
    return await fetchval(
        connection,
        "count_executions",
        tenant=tenant_id,
        states=states,
        in_plan=in_plan,
        agent=agent_id,
        asks=asks,
    )


async def usage(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, task_id: TaskId | None = None
) -> Usage:
    """Tokens that an execution's steps have used so far; those of one task if it is named."""
    row = await fetchrow(connection, "execution_usage", tenant=tenant_id, execution=execution_id, task=task_id)
    assert row is not None
    return Usage(row["input"], row["output"])


def _execution_of(
    row: asyncpg.Record, tasks: tuple[TaskView, ...] | None, counts: dict[TaskState, int]
) -> ExecutionView:
    return ExecutionView(
        id=row["id"],
        in_plan=row["in_plan"],
        title=row["title"],
        summary=row["summary"],
        state=ExecutionState(row["state"]),
        asks=row["asks"],
        agent=agent_ref_of(row),
        queue=row["queue"],
        plan_generation_id=row["plan_generation_id"],
        plan=row["plan"],
        metadata=row["metadata"],
        tasks=tasks,
        counts=counts,
        last_event=row["event_seq"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        updated_at=row["updated_at"],
    )
