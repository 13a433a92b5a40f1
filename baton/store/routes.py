"""Where tasks live: by each of the names that callers have for them. None of that ever changes."""

from collections.abc import Sequence

import asyncpg

from baton.domain.errors import AgentNotFound, Conflict, ExecutionNotFound, TaskNotFound
from baton.domain.ids import (
    TITLE_CHARACTERS,
    Bounds,
    ExecutionId,
    TaskAddress,
    TaskById,
    TaskByNumber,
    TaskBySlug,
    TaskId,
    TaskInPlan,
    TaskRoute,
    TenantId,
)
from baton.domain.slugs import number_in, slug_of
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval, within


async def route(connection: Connection, bounds: Bounds, address: TaskAddress) -> TaskRoute:
    """Where a task lives: never changes, may be cached.

    Raises `ExecutionNotFound`, `TaskNotFound`, `AgentNotFound`.
    """
    whose = within(bounds)
    match address:
        case TaskInPlan(execution, position):
            row = await fetchrow(connection, "route_by_position", **whose, execution=execution, position=position)
        case TaskById(task):
            row = await fetchrow(connection, "route_by_task", **whose, task=task)
        case TaskByNumber(number, _):
            row = await fetchrow(connection, "route_by_number", **whose, number=number)
        case TaskBySlug(slug):
            row = await _named(connection, bounds, slug)
    if row is None:
        if isinstance(address, TaskInPlan):
            if not await fetchval(connection, "execution_exists", **whose, execution=address.execution):
                raise ExecutionNotFound("there is no such execution")
            raise TaskNotFound(f"the execution has no task {address.position}")
        raise TaskNotFound("there is no such task")
    if isinstance(address, TaskByNumber) and address.agent not in (None, row["agent_number"]):
        raise AgentNotFound("the task belongs to another agent")
    return _route_of(bounds.tenant_id, row)


async def routes_of(connection: Connection, tenant_id: TenantId, task_ids: Sequence[TaskId]) -> dict[TaskId, TaskRoute]:
    """Where tasks live, by their ids; those that there are."""
    rows = await fetch(connection, "routes_of_tasks", tenant=tenant_id, ids=list(task_ids)) if task_ids else []
    return {row["task_id"]: _route_of(tenant_id, row) for row in rows}


async def only_task(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> TaskRoute | None:
    """Where the only task of an execution lives; None if that is a plan, or not there."""
    row = await fetchrow(connection, "route_by_execution", tenant=tenant_id, execution=execution_id)
    return None if row is None else _route_of(tenant_id, row)


async def addressed(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, question: str | None = None
) -> TaskRoute:
    """The task that a message to a whole execution is for, which must be locked.

    See `baton.domain.ids.Addressee`; ``question`` is the one that the message answers. Raises `Conflict` where that
    names none, and `ExecutionNotFound`.
    """
    row = await fetchrow(connection, "route_for_message", tenant=tenant_id, execution=execution_id, question=question)
    if row is None:
        execution = await fetchrow(connection, "log_head", tenant=tenant_id, execution=execution_id)
        if execution is None:
            raise ExecutionNotFound("there is no such execution")
        state = execution["state"]
        raise Conflict(f"the execution is {state}, and none of its tasks waits: send to one of them", state)
    return _route_of(tenant_id, row)


def _route_of(tenant_id: TenantId, row: asyncpg.Record) -> TaskRoute:
    return TaskRoute(
        tenant_id=tenant_id,
        tenant=row["tenant"],
        execution_id=row["execution_id"],
        task_id=row["task_id"],
        position=row["position"],
        in_plan=row["in_plan"],
        queue=row["queue"],
        agent=row["agent"],
        agent_id=row["agent_id"],
        title=row["title"][:TITLE_CHARACTERS],
        plan_title=row["plan_title"],
    )


async def _named(connection: Connection, bounds: Bounds, slug: str) -> asyncpg.Record | None:
    number = number_in(slug)
    if number is None:
        return None
    row = await fetchrow(connection, "route_by_number", **within(bounds), number=number)
    return row if row is not None and slug_of(row["title"], number) == slug else None
