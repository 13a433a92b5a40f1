"""Reads: what a caller may see, as it is now. Another tenant's things are not found, nor, by a key for one agent,
those of the other agents."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final, Protocol
from uuid import UUID

from pydantic import Field, TypeAdapter

from baton.domain.agents import Principal
from baton.domain.conversation import Usage
from baton.domain.errors import ExecutionNotFound, MessageNotFound, TaskNotFound
from baton.domain.ids import ExecutionId, MessageId, TaskId
from baton.domain.json import INT64_MAX, INT64_MIN
from baton.domain.states import ExecutionState, MessageState, TaskState
from baton.domain.views import ExecutionView, MessageView, Page, TaskView
from baton.service.agents import AgentReference, resolve_agent
from baton.service.cursors import decode_cursor, encode_cursor
from baton.store import views
from baton.store.pool import Connection, Pool

_TIME_AND_ID: Final = TypeAdapter(tuple[datetime, UUID])
_NUMBER: Final = TypeAdapter(tuple[Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]])


class Reads(Protocol):
    """What reads need of `baton.service.context.Baton`."""

    @property
    def pool(self) -> Pool: ...


@dataclass(frozen=True, slots=True)
class Found:
    """What an id names that may be an execution's or a task's: with ``task``, the task of that id."""

    execution: ExecutionView
    task: TaskView | None


async def get_execution(baton: Reads, who: Principal, execution_id: ExecutionId) -> ExecutionView:
    """An execution with its tasks. Raises `ExecutionNotFound`."""
    async with baton.pool.connection() as connection:
        found = await views.execution(connection, who.tenant_id, execution_id)
    if found is None or not who.sees(found.agent.id):
        raise ExecutionNotFound("there is no such execution")
    return found


async def get_execution_or_task(baton: Reads, who: Principal, some_id: UUID) -> Found:
    """The execution of that id; else the task of that id and its execution. Raises `ExecutionNotFound`."""
    async with baton.pool.connection() as connection:
        task = None
        execution = await views.execution(connection, who.tenant_id, some_id)
        if execution is None and (task := await views.task(connection, who.tenant_id, some_id)):
            execution = await views.execution(connection, who.tenant_id, task.execution_id)
    if execution is not None and who.sees(execution.agent.id):
        return Found(execution, task)
    raise ExecutionNotFound("there is no such execution")


async def list_executions(
    baton: Reads,
    who: Principal,
    *,
    limit: int,
    states: Sequence[ExecutionState] | None = None,
    cursor: str | None = None,
) -> Page[ExecutionView]:
    """A page of all executions, newest first. Raises `InvalidInput` for a bad cursor."""
    after = None if cursor is None else decode_cursor(cursor, _TIME_AND_ID)
    async with baton.pool.connection() as connection:
        found = await views.executions(
            connection, who.tenant_id, limit=limit + 1, states=states, agent_id=who.agent_id, after=after
        )
    page = tuple(found[:limit])
    more = len(found) > limit
    return Page(page, encode_cursor(page[-1].created_at, page[-1].id) if more else None)


async def page_executions(
    baton: Reads,
    who: Principal,
    *,
    limit: int,
    offset: int = 0,
    in_plan: bool | None = None,
    states: Sequence[ExecutionState] | None = None,
    agent: AgentReference = None,
    asks: bool | None = None,
    with_only_tasks: bool = False,
) -> Page[ExecutionView]:
    """Executions by offset, newest first, with their total: for dialects that page so.

    ``in_plan``: plans only, single tasks only, None for both. ``asks``: of those that wait, those that do for an answer
    (True) or for consent alone (False). ``with_only_tasks``: those that are no plans come with their task. Raises
    `AgentNotFound`.
    """
    async with baton.pool.connection() as connection:
        agent_id = who.agent_id if agent is None else (await resolve_agent(connection, who, agent)).id
        found = await views.executions(
            connection,
            who.tenant_id,
            limit=limit,
            offset=offset,
            in_plan=in_plan,
            states=states,
            agent_id=agent_id,
            asks=asks,
        )
        total = await views.count_executions(
            connection, who.tenant_id, in_plan=in_plan, states=states, agent_id=agent_id, asks=asks
        )
        if with_only_tasks:
            tasks = await views.only_tasks(connection, who.tenant_id, [one.id for one in found if not one.in_plan])
            found = [replace(one, tasks=(tasks[one.id],)) if one.id in tasks else one for one in found]
    return Page(tuple(found), total=total)


async def page_single_tasks(
    baton: Reads,
    who: Principal,
    *,
    limit: int,
    offset: int = 0,
    states: Sequence[ExecutionState] | None = None,
    agent: AgentReference = None,
) -> list[tuple[TaskView, Usage]]:
    """The tasks of executions that are no plans, by offset, newest first, with the tokens that each has used.

    Raises `AgentNotFound`.
    """
    async with baton.pool.connection() as connection:
        agent_id = who.agent_id if agent is None else (await resolve_agent(connection, who, agent)).id
        return await views.single_tasks(
            connection, who.tenant_id, limit=limit, offset=offset, states=states, agent_id=agent_id
        )


async def get_task(baton: Reads, who: Principal, task_id: TaskId) -> TaskView:
    """A task. Raises `TaskNotFound`."""
    async with baton.pool.connection() as connection:
        found = await views.task(connection, who.tenant_id, task_id)
    if found is None or not who.sees(found.agent.id):
        raise TaskNotFound("there is no such task")
    return found


async def list_tasks(
    baton: Reads,
    who: Principal,
    *,
    limit: int,
    states: Sequence[TaskState] | None = None,
    execution_id: ExecutionId | None = None,
    cursor: str | None = None,
) -> Page[TaskView]:
    """A page of tasks, newest first; of those that wait, and nothing else asked for, the longest waiting first.

    Raises `InvalidInput` for a bad cursor.
    """
    inbox = states is not None and set(states) == {TaskState.WAITING} and execution_id is None
    async with baton.pool.connection() as connection:
        if inbox:
            since = None if cursor is None else decode_cursor(cursor, _TIME_AND_ID)
            found = await views.waiting_tasks(
                connection, who.tenant_id, limit=limit + 1, agent_id=who.agent_id, after=since
            )
        else:
            before = None if cursor is None else decode_cursor(cursor, _NUMBER)[0]
            found = await views.tasks(
                connection,
                who.tenant_id,
                limit=limit + 1,
                states=states,
                execution_id=execution_id,
                agent_id=who.agent_id,
                before=before,
            )
    page = tuple(found[:limit])
    if len(found) <= limit:
        return Page(page)
    last = page[-1]
    return Page(page, encode_cursor(last.waiting_since, last.id) if inbox else encode_cursor(last.number))


async def get_message(baton: Reads, who: Principal, message_id: MessageId) -> MessageView:
    """A message's receipt. Raises `MessageNotFound`."""
    async with baton.pool.connection() as connection:
        found = await views.message(connection, who.tenant_id, message_id)
        hidden = found is not None and not await _sees_task(connection, who, found.task_id)
    if found is None or hidden:
        raise MessageNotFound("there is no such message")
    return found


async def list_messages(
    baton: Reads,
    who: Principal,
    task_id: TaskId,
    *,
    limit: int,
    states: Sequence[MessageState] | None = None,
    cursor: str | None = None,
) -> Page[MessageView]:
    """A page of a task's messages, in order. Raises `TaskNotFound`, and `InvalidInput` for a bad cursor."""
    after = 0 if cursor is None else decode_cursor(cursor, _NUMBER)[0]
    async with baton.pool.connection() as connection:
        found = await views.messages(connection, who.tenant_id, task_id, after=after, limit=limit + 1, states=states)
        if not found and await views.task(connection, who.tenant_id, task_id) is None:
            raise TaskNotFound("there is no such task")
        if not await _sees_task(connection, who, task_id):
            raise TaskNotFound("there is no such task")
    page = tuple(found[:limit])
    return Page(page, encode_cursor(page[-1].seq) if len(found) > limit else None)


async def list_dead_messages(
    baton: Reads, who: Principal, *, limit: int, cursor: str | None = None
) -> Page[MessageView]:
    """A page of the dead messages of all tasks, those first that died first. Raises `InvalidInput` for a bad cursor."""
    after = None if cursor is None else decode_cursor(cursor, _TIME_AND_ID)
    async with baton.pool.connection() as connection:
        found = await views.dead_messages(
            connection, who.tenant_id, limit=limit + 1, agent_id=who.agent_id, after=after
        )
    page = tuple(found[:limit])
    return Page(page, encode_cursor(page[-1].ended_at, page[-1].id) if len(found) > limit else None)


async def get_usage(baton: Reads, who: Principal, execution_id: ExecutionId, task_id: TaskId | None = None) -> Usage:
    """Tokens that an execution, or one of its tasks, has used."""
    async with baton.pool.connection() as connection:
        return await views.usage(connection, who.tenant_id, execution_id, task_id)


async def _sees_task(connection: Connection, who: Principal, task_id: TaskId) -> bool:
    """Whether a task's agent is one that the caller may know of; costs only keys for one agent a query."""
    if who.agent_id is None:
        return True
    task = await views.task(connection, who.tenant_id, task_id)
    return task is not None and who.sees(task.agent.id)
