"""Executions as they are now, always within one tenant. `baton.store.creation` makes them."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from baton.domain.conversation import Usage
from baton.domain.errors import ExecutionNotFound
from baton.domain.ids import Bounds, ExecutionId, ExecutionRoute, TenantId
from baton.domain.states import ExecutionState, TaskState
from baton.domain.views import ExecutionView, MetadataAt, TaskView
from baton.store.codecs import wanted_metadata
from baton.store.pages import PAGE_BYTES, CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval, within
from baton.store.routes import only_task
from baton.store.tasks import agent_ref_of, task_of, usage_of

#: After so many bytes of its tasks' texts, a plan that is read as a whole has the other tasks without them.
PLAN_BYTES: Final = 4 * 1024 * 1024
_WHOLE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def route(connection: Connection, bounds: Bounds, execution_id: ExecutionId) -> ExecutionRoute:
    """Where an execution lives: never changes, may be cached. Raises `ExecutionNotFound`."""
    row = await fetchrow(connection, "execution_route", **within(bounds), execution=execution_id)
    if row is None:
        raise ExecutionNotFound("there is no such execution")
    return ExecutionRoute(
        tenant_id=bounds.tenant_id,
        tenant=row["tenant"],
        execution_id=execution_id,
        queue=row["queue"],
        agent_id=row["agent_id"],
        only=None if row["in_plan"] else await only_task(connection, bounds.tenant_id, execution_id),
    )


async def view(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> ExecutionView | None:
    """An execution with all its tasks, by position; those after `PLAN_BYTES` of texts are cut.

    The tasks are read after the execution's row: they may be newer than its `last_event`, and never older, so that
    whoever follows the log from there misses nothing.
    """
    row = await fetchrow(connection, "execution_view", tenant=tenant_id, execution=execution_id)
    if row is None:
        return None
    rows = await fetch(
        connection, "tasks_of_execution", tenant=tenant_id, execution=execution_id, most_bytes=PLAN_BYTES
    )
    tasks = tuple(task_of(task, cut=task["cut"]) for task in rows)
    counts: dict[TaskState, int] = {}
    for task in tasks:
        counts[task.state] = counts.get(task.state, 0) + 1
    return _execution_of(row, tasks, counts, sum((task.usage for task in tasks), Usage()))


async def page(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    most_bytes: int = PAGE_BYTES,
    states: Sequence[ExecutionState] | None = None,
    in_plan: bool | None = None,
    after: tuple[datetime, UUID] | None = None,
    offset: int = 0,
    asks: bool | None = None,
    id_part: str | None = None,
    metadata: MetadataAt | None = None,
) -> CutPage[ExecutionView]:
    """Executions, newest first, without their tasks and plans. ``after``: created_at and id where a page ended.

    ``asks``: of those that wait, those that do for an answer (True) or for consent alone (False). ``id_part``: what
    their ids hold, in any case.
    """
    created_at, execution_id = after or (None, None)
    rows = await fetch_page(
        connection,
        "list_executions",
        **within(bounds),
        shared=bounds.shared,
        states=states,
        in_plan=in_plan,
        after_time=created_at,
        after_id=execution_id,
        limit=limit,
        most_bytes=most_bytes,
        offset=offset,
        asks=asks,
        **_by_id(id_part),
        metadata=wanted_metadata(metadata),
    )
    return rows.each(
        lambda row: _execution_of(
            row, None, {TaskState(state): count for state, count in row["counts"].items()}, usage_of(row)
        )
    )


async def count(
    connection: Connection,
    bounds: Bounds,
    *,
    states: Sequence[ExecutionState] | None = None,
    in_plan: bool | None = None,
    asks: bool | None = None,
    id_part: str | None = None,
    metadata: MetadataAt | None = None,
) -> int:
    """How many executions `page` would give in all."""
    return await fetchval(
        connection,
        "count_executions",
        **within(bounds),
        shared=bounds.shared,
        states=states,
        in_plan=in_plan,
        asks=asks,
        **_by_id(id_part),
        metadata=wanted_metadata(metadata),
    )


def _by_id(part: str | None) -> dict[str, object]:
    """What narrows a list by ids. A whole one is looked up; for a part all ids of the tenant are read."""
    part = part and part.lower()
    if part and _WHOLE_ID.fullmatch(part):
        return {"execution": part, "id_part": None}
    return {"execution": None, "id_part": part}


def _execution_of(
    row: asyncpg.Record, tasks: tuple[TaskView, ...] | None, counts: dict[TaskState, int], usage: Usage
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
        limits=row["limits"],
        usage=usage,
        last_event=row["event_seq"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        updated_at=row["updated_at"],
    )
