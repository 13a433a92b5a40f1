"""What doorbells say, and what the relay has to ring: tasks and plans whose doorbell nobody has answered.

A row's `ring_at` is set by the commit that wants its workflow to look, and cleared by the activity that looks. What is
due was rung in vain, or never: the process died between commit and signal, Temporal was away, or it was left to the
relay at once, as one of many.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import asyncpg

from baton.domain.bells import TaskBell
from baton.domain.errors import TaskNotFound
from baton.domain.ids import ExecutionId, TaskId, TaskRoute, TenantId
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow


@dataclass(frozen=True, slots=True)
class TaskToRing:
    """What is to be told to the workflow of which task."""

    task_id: TaskId
    bell: TaskBell


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task to ring."""

    tenant_id: TenantId
    task_id: TaskId
    bell: TaskBell


@dataclass(frozen=True, slots=True)
class DuePlan:
    """A plan to ring."""

    tenant_id: TenantId
    tenant: str
    execution_id: ExecutionId
    event_seq: int
    queue: str


async def bell(connection: Connection, route: TaskRoute) -> TaskBell:
    """What a doorbell would say now. Raises `TaskNotFound`."""
    row = await fetchrow(connection, "read_bell", tenant=route.tenant_id, task=route.task_id)
    if row is None:
        raise TaskNotFound("there is no such task")
    return bell_of(row)


async def bells(connection: Connection, tenant_id: TenantId, task_ids: Sequence[TaskId]) -> list[TaskToRing]:
    """What the doorbells of tasks would say now."""
    rows = await fetch(connection, "read_bells", tenant=tenant_id, ids=list(task_ids)) if task_ids else []
    return [TaskToRing(row["id"], bell_of(row)) for row in rows]


def bell_of(row: asyncpg.Record) -> TaskBell:
    """A bell from a row that has one."""
    return TaskBell(row["version"], row["turn"], row["interrupt"], starts=row["starts"])


@dataclass(frozen=True, slots=True)
class RingPace:
    """How many rows are taken, and when they are due again.

    ``limit`` of all tenants together, the longest due of each in turn; ``share`` of one tenant, less what it was rung
    for a moment ago and has not taken up. Each is due again after ``again_seconds``, then twice that, up to
    ``most_seconds``, until a worker takes it up.
    """

    limit: int
    share: int
    again_seconds: float
    most_seconds: float


async def due_tasks(connection: Connection, pace: RingPace) -> list[DueTask]:
    """Take tasks that are due, of all tenants: the relay serves them all."""
    rows = await fetch(connection, "due_tasks", **asdict(pace))
    return [DueTask(row["tenant_id"], row["id"], bell_of(row)) for row in rows]


async def due_plans(connection: Connection, pace: RingPace) -> list[DuePlan]:
    """Take plans that are due, like `due_tasks`."""
    rows = await fetch(connection, "due_plans", **asdict(pace))
    return [DuePlan(row["tenant_id"], row["tenant"], row["id"], row["event_seq"], row["queue"]) for row in rows]


async def task_told(connection: Connection, due: DueTask) -> None:
    """Ring a task no more whose workflow, if one runs, has a signal that it need not answer."""
    await execute(connection, "heard", tenant=due.tenant_id, task=due.task_id)


async def task_ring_failed(connection: Connection, due: DueTask, seconds: float) -> None:
    """Have a task rung again after ``seconds``: Temporal could not be told."""
    await execute(connection, "task_ring_failed", tenant=due.tenant_id, task=due.task_id, seconds=seconds)


async def plan_ring_failed(connection: Connection, due: DuePlan, seconds: float) -> None:
    """Have a plan rung again after ``seconds``: Temporal could not be told."""
    await execute(connection, "plan_ring_failed", tenant=due.tenant_id, execution=due.execution_id, seconds=seconds)
