"""What doorbells say, and what the relay has to ring: tasks and plans whose doorbell nobody has answered.

A row's `ring_at` is set by the commit that wants its workflow to look, and cleared by the activity that looks. What is
due was rung in vain, or never: the process died between commit and signal, or Temporal was away.
"""

from dataclasses import dataclass

from baton.domain.errors import TaskNotFound
from baton.domain.ids import (
    ExecutionId,
    TaskId,
    TaskRoute,
    TenantId,
)
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow


@dataclass(frozen=True, slots=True)
class Bell:
    """What a doorbell says: the task's version, the turn under way or due, and the last one if it is to stop."""

    version: int
    turn: int
    interrupt: int


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task to ring, as its `Bell` would."""

    tenant_id: TenantId
    task_id: TaskId
    version: int
    turn: int
    interrupt: int


@dataclass(frozen=True, slots=True)
class DuePlan:
    """A plan to ring."""

    tenant_id: TenantId
    tenant: str
    execution_id: ExecutionId
    event_seq: int
    queue: str


async def bell(connection: Connection, route: TaskRoute) -> Bell:
    """What a doorbell would say now. Raises `TaskNotFound`."""
    row = await fetchrow(connection, "read_bell", tenant=route.tenant_id, task=route.task_id)
    if row is None:
        raise TaskNotFound("there is no such task")
    return Bell(row["version"], row["turn"], row["interrupt"])


async def due_tasks(connection: Connection, limit: int, again_seconds: float, most_seconds: float) -> list[DueTask]:
    """Take up to ``limit`` tasks that are due, across tenants: the relay serves all of them.

    Each is due again after ``again_seconds``, then twice that, up to ``most_seconds``, until a worker takes it up.
    """
    rows = await fetch(connection, "due_tasks", limit=limit, again_seconds=again_seconds, most_seconds=most_seconds)
    return [DueTask(row["tenant_id"], row["id"], row["version"], row["turn"], row["interrupt"]) for row in rows]


async def due_plans(connection: Connection, limit: int, again_seconds: float, most_seconds: float) -> list[DuePlan]:
    """Take up to ``limit`` plans that are due, like `due_tasks`."""
    rows = await fetch(connection, "due_plans", limit=limit, again_seconds=again_seconds, most_seconds=most_seconds)
    return [DuePlan(row["tenant_id"], row["tenant"], row["id"], row["event_seq"], row["queue"]) for row in rows]


async def task_ring_failed(connection: Connection, due: DueTask, seconds: float) -> None:
    """Have a task rung again after ``seconds``: Temporal could not be told."""
    await execute(connection, "task_ring_failed", tenant=due.tenant_id, task=due.task_id, seconds=seconds)


async def plan_ring_failed(connection: Connection, due: DuePlan, seconds: float) -> None:
    """Have a plan rung again after ``seconds``: Temporal could not be told."""
    await execute(connection, "plan_ring_failed", tenant=due.tenant_id, execution=due.execution_id, seconds=seconds)
