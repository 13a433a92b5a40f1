"""What bounds a task: its agent's limits, its own, and those that all tasks of its plan share."""

from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from baton.domain.allowance import PLAN_PREFIX, Asked, Spent, least
from baton.domain.conversation import Usage
from baton.domain.ids import ExecutionId, TaskId, TenantId
from baton.domain.json import JsonObject
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval


@dataclass(frozen=True, slots=True)
class PlanBudget:
    """The limits of a plan, what its tasks have used of them, and what has been asked about that.

    ``asked_elsewhere``: another task is asking right now.
    """

    limits: JsonObject
    spent: Spent
    asked: tuple[Asked, ...] = ()
    asked_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What bounds a task: of its agent's limits and its own the least, and its plan's where that has any."""

    own: JsonObject
    plan: PlanBudget | None = None

    def after(self, usage: Usage) -> "TaskLimits":
        """With what an attempt that is under way has used of its plan's."""
        if self.plan is None:
            return self
        return replace(self, plan=replace(self.plan, spent=self.plan.spent.after(usage)))


NO_LIMITS: Final = TaskLimits({})


async def of_task(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> JsonObject:
    """Of the limits of a task and of its agent the least; {} where there is no such task."""
    row = await fetchrow(connection, "limits_of_task", tenant=tenant_id, task=task_id)
    return {} if row is None else least(row["of_agent"], row["of_task"])


async def limits_of(
    connection: Connection, tenant_id: TenantId, task_id: TaskId, turn: int, row: asyncpg.Record
) -> TaskLimits:
    """What bounds a task in ``turn``, which is under way: from a row of its limits, its agent's and its execution's."""
    own, shared = least(row["of_agent"], row["of_task"]), row["of_execution"]
    if not shared:
        return TaskLimits(own)
    whose: dict[str, object] = {"tenant": tenant_id, "execution": row["execution_id"], "task": task_id}
    spent = await fetchrow(connection, "plan_spent", is_timed="max_seconds" in shared, prefix=PLAN_PREFIX, **whose)
    assert spent is not None
    asked = await fetch(connection, "asked_by_plan", turn=turn, prefix=PLAN_PREFIX, **whose)
    return TaskLimits(
        own,
        PlanBudget(
            shared,
            Spent(spent["turns"], spent["calls"], 0, spent["tokens"], float(spent["usd"]), float(spent["seconds"])),
            tuple(Asked(one["call_id"].removeprefix(PLAN_PREFIX), one["answer"], one["turn"]) for one in asked),
            spent["asked_elsewhere"],
        ),
    )


async def asked_elsewhere(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, task_id: TaskId
) -> bool:
    """Whether another task of a plan asks what one of the plan's limits has raised; exact while it is locked."""
    return await fetchval(
        connection, "asked_elsewhere", tenant=tenant_id, execution=execution_id, task=task_id, prefix=PLAN_PREFIX
    )
