"""Executions, as they begin."""

from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from baton.domain.conversation import Attachment
from baton.domain.errors import ExecutionNotFound
from baton.domain.events import ExecutionCreated, NewEvent, TaskStarted
from baton.domain.events.codec import encode
from baton.domain.events.executions import PlannedTask
from baton.domain.ids import AgentId, ExecutionId, ExecutionRoute, TaskId, TenantId
from baton.domain.json import JsonObject, JsonValue
from baton.domain.states import ExecutionState
from baton.store.attachments import attachments_json
from baton.store.pool import Connection
from baton.store.queries import fetchrow, fetchval
from baton.store.tasks import only_task


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
            "attachments": cast("list[JsonValue]", attachments_json(task.attachments)),
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
