"""Reads: executions, tasks and messages as they are now, always within one tenant."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg

from baton.domain.conversation import Usage
from baton.domain.ids import AgentId, ExecutionId, MessageId, TaskId, TenantId
from baton.domain.states import ExecutionState, MessageState, TaskState
from baton.domain.views import AgentRef, ExecutionView, MessageView, TaskView
from baton.store.attachments import attachments_of
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval
from baton.store.tasks import approvals_of, questions_of


async def execution(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> ExecutionView | None:
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


async def executions(
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
        states=_names(states),
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


async def count_executions(
    connection: Connection,
    tenant_id: TenantId,
    *,
    states: Sequence[ExecutionState] | None = None,
    in_plan: bool | None = None,
    agent_id: AgentId | None = None,
    asks: bool | None = None,
) -> int:
    """How many executions `executions` would give in all."""
    return await fetchval(
        connection,
        "count_executions",
        tenant=tenant_id,
        states=_names(states),
        in_plan=in_plan,
        agent=agent_id,
        asks=asks,
    )


async def only_tasks(
    connection: Connection, tenant_id: TenantId, execution_ids: Sequence[ExecutionId]
) -> dict[ExecutionId, TaskView]:
    """The tasks of those of the executions that are no plans, by execution."""
    rows = await fetch(connection, "only_tasks", tenant=tenant_id, executions=execution_ids)
    return {row["execution_id"]: task_of(row) for row in rows}


async def task(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> TaskView | None:
    """A task, or None."""
    row = await fetchrow(connection, "task_view", tenant=tenant_id, task=task_id)
    return None if row is None else task_of(row)


async def waiting_tasks(
    connection: Connection,
    tenant_id: TenantId,
    *,
    limit: int,
    agent_id: AgentId | None = None,
    after: tuple[datetime, UUID] | None = None,
) -> list[TaskView]:
    """Tasks that wait, longest first. ``after``: waiting_since and id where a page ended."""
    since, task_id = after or (None, None)
    rows = await fetch(
        connection,
        "list_waiting_tasks",
        tenant=tenant_id,
        after_time=since,
        after_id=task_id,
        limit=limit,
        agent=agent_id,
    )
    return [task_of(row) for row in rows]


async def tasks(
    connection: Connection,
    tenant_id: TenantId,
    *,
    limit: int,
    states: Sequence[TaskState] | None = None,
    execution_id: ExecutionId | None = None,
    agent_id: AgentId | None = None,
    before: int | None = None,
) -> list[TaskView]:
    """Tasks, newest first. ``before``: the number at which a page ended."""
    rows = await fetch(
        connection,
        "list_tasks",
        tenant=tenant_id,
        states=_names(states),
        execution=execution_id,
        before=before,
        limit=limit,
        agent=agent_id,
    )
    return [task_of(row) for row in rows]


async def single_tasks(
    connection: Connection,
    tenant_id: TenantId,
    *,
    limit: int,
    offset: int = 0,
    states: Sequence[ExecutionState] | None = None,
    agent_id: AgentId | None = None,
) -> list[tuple[TaskView, Usage]]:
    """The tasks of executions that are no plans, newest first, with the tokens that each has used."""
    rows = await fetch(
        connection,
        "list_single_tasks",
        tenant=tenant_id,
        states=_names(states),
        agent=agent_id,
        limit=limit,
        offset=offset,
    )
    return [(task_of(row), Usage(row["input"], row["output"])) for row in rows]


async def messages(
    connection: Connection,
    tenant_id: TenantId,
    task_id: TaskId,
    *,
    after: int,
    limit: int,
    states: Sequence[MessageState] | None = None,
) -> list[MessageView]:
    """A task's messages with a number above ``after``, in order."""
    rows = await fetch(
        connection, "list_messages", tenant=tenant_id, task=task_id, after=after, limit=limit, states=_names(states)
    )
    return [_message_of(row) for row in rows]


async def dead_messages(
    connection: Connection,
    tenant_id: TenantId,
    *,
    limit: int,
    agent_id: AgentId | None = None,
    after: tuple[datetime, UUID] | None = None,
) -> list[MessageView]:
    """Dead messages of all tasks, those first that died first. ``after``: ended_at and id where a page ended."""
    ended_at, message_id = after or (None, None)
    rows = await fetch(
        connection,
        "list_dead_messages",
        tenant=tenant_id,
        after_time=ended_at,
        after_id=message_id,
        limit=limit,
        agent=agent_id,
    )
    return [_message_of(row) for row in rows]


async def message(connection: Connection, tenant_id: TenantId, message_id: MessageId) -> MessageView | None:
    """A message, or None."""
    row = await fetchrow(connection, "message_view", tenant=tenant_id, message=message_id)
    return None if row is None else _message_of(row)


async def usage(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, task_id: TaskId | None = None
) -> Usage:
    """Tokens that an execution's steps have used so far; those of one task if it is named."""
    row = await fetchrow(connection, "execution_usage", tenant=tenant_id, execution=execution_id, task=task_id)
    assert row is not None
    return Usage(row["input"], row["output"])


def _names(states: Sequence[StrEnum] | None) -> list[str] | None:
    return None if states is None else list(states)


def _agent_of(row: asyncpg.Record) -> AgentRef:
    return AgentRef(row["agent_id"], row["agent_number"], row["agent_name"])


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
        agent=_agent_of(row),
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


def task_of(row: asyncpg.Record) -> TaskView:
    """A task from the columns that every query for one selects."""
    return TaskView(
        id=row["id"],
        number=row["number"],
        execution_id=row["execution_id"],
        position=row["position"],
        title=row["title"],
        description=row["description"],
        depends_on=tuple(row["depends_on"]),
        agent=_agent_of(row),
        state=TaskState(row["state"]),
        version=row["version"],
        turn=row["turn"],
        queued=row["queued"],
        questions=questions_of(row["open_questions"]),
        approvals=approvals_of(row["open_approvals"]),
        granted_tools=tuple(row["granted_tools"]),
        plan_only=row["plan_only"],
        waiting_since=row["waiting_since"],
        result=row["result"],
        error=row["error_code"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        updated_at=row["updated_at"],
    )


def _message_of(row: asyncpg.Record) -> MessageView:
    return MessageView(
        id=row["id"],
        seq=row["seq"],
        task_id=row["task_id"],
        execution_id=row["execution_id"],
        state=MessageState(row["state"]),
        turn=row["turn"],
        text=row["text"],
        attachments=attachments_of(row["attachments"]),
        origin=row["origin"],
        sender=row["sender"],
        answers=tuple(row["answers"]),
        reason=row["reason"],
        accepted_at=row["accepted_at"],
        claimed_at=row["claimed_at"],
        ended_at=row["ended_at"],
        task_version=row["task_version"],
    )
