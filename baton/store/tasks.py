"""Reads of tasks as they are now, always within one tenant."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from baton.domain.conversation import Usage
from baton.domain.errands import ErrandState, Taken, TaskWithErrand, errand_state
from baton.domain.ids import Bounds, ExecutionId, TaskId, TenantId
from baton.domain.states import ExecutionState, MessageState, TaskState, TurnState
from baton.domain.views import AgentRef, MetadataAt, TaskDetails, TaskView
from baton.store.codecs import APPROVALS, QUESTIONS, wanted_metadata
from baton.store.pages import PAGE_BYTES, CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import fetchrow, fetchval, within


async def view(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> TaskView | None:
    """A task, or None."""
    row = await fetchrow(connection, "task_view", tenant=tenant_id, task=task_id)
    return None if row is None else task_of(row)


async def details(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> TaskDetails | None:
    """A task, or None."""
    row = await fetchrow(connection, "task_details", tenant=tenant_id, task=task_id)
    return None if row is None else _details_of(row)


async def page(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    states: Sequence[TaskState] | None = None,
    execution_id: ExecutionId | None = None,
    before: int | None = None,
) -> CutPage[TaskView]:
    """Tasks, newest first. ``before``: the number at which a page ended."""
    rows = await fetch_page(
        connection,
        "list_tasks",
        **within(bounds),
        states=states,
        execution=execution_id,
        before=before,
        limit=limit,
    )
    return rows.each(task_of)


async def waiting(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> CutPage[TaskView]:
    """Tasks that wait, longest first. ``after``: waiting_since and id where a page ended."""
    since, task_id = after or (None, None)
    rows = await fetch_page(
        connection,
        "list_waiting_tasks",
        **within(bounds),
        after_time=since,
        after_id=task_id,
        limit=limit,
    )
    return rows.each(task_of)


async def only_tasks(
    connection: Connection, tenant_id: TenantId, execution_ids: Sequence[ExecutionId], *, most_bytes: int
) -> CutPage[TaskView]:
    """The tasks of those of the executions that are no plans."""
    rows = await fetch_page(
        connection,
        "only_tasks",
        tenant=tenant_id,
        executions=execution_ids,
        limit=len(execution_ids),
        most_bytes=most_bytes,
    )
    return rows.each(task_of)


async def single_tasks(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    most_bytes: int = PAGE_BYTES,
    offset: int = 0,
    states: Sequence[ExecutionState] | None = None,
) -> CutPage[TaskView]:
    """The tasks of executions that are no plans, newest first."""
    rows = await fetch_page(
        connection,
        "list_single_tasks",
        **within(bounds),
        states=states,
        limit=limit,
        most_bytes=most_bytes,
        offset=offset,
    )
    return rows.each(task_of)


async def details_page(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    most_bytes: int = PAGE_BYTES,
    offset: int,
    standings: Sequence[tuple[TaskState, bool]] | None = None,
    metadata: MetadataAt | None = None,
) -> CutPage[TaskDetails]:
    """Tasks, newest first; with ``standings`` only those that stand so, with ``metadata`` only those of executions that
    have it."""
    rows = await fetch_page(
        connection,
        "page_task_details",
        **within(bounds),
        limit=limit,
        most_bytes=most_bytes,
        offset=offset,
        metadata=wanted_metadata(metadata),
        **_columns(standings),
    )
    return rows.each(_details_of)


async def count(
    connection: Connection,
    bounds: Bounds,
    *,
    standings: Sequence[tuple[TaskState, bool]] | None = None,
    metadata: MetadataAt | None = None,
) -> int:
    """How many tasks `tasks` would give in all."""
    wanted = wanted_metadata(metadata)
    return await fetchval(connection, "count_tasks", **within(bounds), metadata=wanted, **_columns(standings))


async def with_errands(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    before: int | None = None,
) -> CutPage[TaskWithErrand]:
    """Tasks that are not archived, newest first. ``before``: the integer of the task at which a page ended."""
    rows = await fetch_page(connection, "list_tasks_with_errands", **within(bounds), before=before, limit=limit)
    return rows.each(
        lambda row: TaskWithErrand(
            row["id"], row["number"], row["title"], row["created_at"], errand_state_of(row, superseded=False)
        )
    )


async def archive(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> bool:
    """Put a task out of the way. Again changes nothing. False if there is no such task."""
    return await fetchval(connection, "archive_task", tenant=tenant_id, task=task_id) is not None


def task_of(row: asyncpg.Record, *, cut: bool = False) -> TaskView:
    """A task from the columns that every query for one selects."""
    return TaskView(
        id=row["id"],
        number=row["number"],
        execution_id=row["execution_id"],
        position=row["position"],
        title=row["title"],
        description=row["description"],
        depends_on=tuple(row["depends_on"]),
        agent=agent_ref_of(row),
        state=TaskState(row["state"]),
        version=row["version"],
        turn=row["turn"],
        queued=row["queued"],
        questions=QUESTIONS.read(row["open_questions"]),
        approvals=APPROVALS.read(row["open_approvals"]),
        granted_tools=tuple(row["granted_tools"]),
        plan_only=row["plan_only"],
        waiting_since=row["waiting_since"],
        result=row["result"],
        error=row["error_code"],
        error_message=row["error_message"] or "",
        limits=row["limits"],
        usage=usage_of(row),
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        updated_at=row["updated_at"],
        cut=cut,
        result_json=row["result_json"],
    )


def usage_of(row: asyncpg.Record) -> Usage:
    """What was used, from the columns of a step, of a task, or of sums over tasks (NULL where there are none)."""
    return Usage(
        row["input_tokens"] or 0,
        row["output_tokens"] or 0,
        row["cached_tokens"] or 0,
        row["reasoning_tokens"] or 0,
        row["usd"],
        row["model_calls"] or 0,
    )


def agent_ref_of(row: asyncpg.Record) -> AgentRef:
    return AgentRef(row["agent_id"], row["agent_number"], row["agent_name"])


def _columns(standings: Sequence[tuple[TaskState, bool]] | None) -> dict[str, object]:
    if standings is None:
        return {"states": None, "open_turns": None}
    return {"states": [state for state, _ in standings], "open_turns": [turn_open for _, turn_open in standings]}


def _details_of(row: asyncpg.Record) -> TaskDetails:
    return TaskDetails(task_of(row), row["turn_open"], row["metadata"])


def errand_state_of(row: asyncpg.Record, *, superseded: bool) -> ErrandState:
    said, last = row["message_state"], row["last_turn_state"]
    return errand_state(
        Taken(TaskState(row["task_state"]), row["task_turn"], row["interrupt_turn"], row["unclaimed"]),
        None if said is None else MessageState(said),
        row["turn"],
        superseded=superseded,
        last_turn=row["last_turn"],
        last_turn_state=None if last is None else TurnState(last),
    )
