"""Reads of tasks for callers that see no more than their key's agent: one, by page, and what the log says of one."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from baton.domain.agents import Principal
from baton.domain.errors import TaskNotFound
from baton.domain.events import Event, EventType
from baton.domain.ids import TaskId
from baton.domain.json import INT64_MAX
from baton.domain.states import TaskState
from baton.domain.views import Page, TaskDetails, TaskView
from baton.service.cursors import decode_cursor, encode_cursor
from baton.service.views import Reads
from baton.store import details

_SEQ: Final = TypeAdapter(tuple[Annotated[int, Field(ge=0, le=INT64_MAX)]])


async def get_task(baton: Reads, who: Principal, task_id: TaskId) -> TaskDetails:
    """A task. Raises `TaskNotFound`, also for one of another agent than the key's."""
    async with baton.pool.connection() as connection:
        found = await details.task(connection, who.tenant_id, task_id)
    if found is None or not who.sees(found.task.agent.id):
        raise TaskNotFound("there is no such task")
    return found


async def page_tasks(
    baton: Reads,
    who: Principal,
    *,
    limit: int,
    offset: int = 0,
    standings: Sequence[tuple[TaskState, bool]] | None = None,
) -> Page[TaskDetails]:
    """Tasks by offset, newest first, with their total; those of the key's agent where it is for one.

    ``standings``: only tasks in one of these states, each with whether a turn is under way.
    """
    async with baton.pool.connection() as connection:
        found = await details.tasks(
            connection, who.tenant_id, limit=limit, offset=offset, standings=standings, agent_id=who.agent_id
        )
        total = await details.count_tasks(connection, who.tenant_id, standings=standings, agent_id=who.agent_id)
    return Page(tuple(found), total=total)


async def list_events(
    baton: Reads,
    who: Principal,
    task: TaskView,
    types: Sequence[EventType],
    *,
    limit: int,
    cursor: str | None = None,
    parameter: str = "cursor",
) -> Page[Event]:
    """A page of what an execution's log says of one task, in order; nothing is skipped by who reads on later.

    Raises `InvalidInput`, naming ``parameter``, for a bad cursor.
    """
    after = 0 if cursor is None else decode_cursor(cursor, _SEQ, parameter)[0]
    async with baton.pool.connection() as connection:
        found = await details.task_events(connection, who.tenant_id, task, types, after=after, limit=limit + 1)
    page = tuple(found[:limit])
    return Page(page, encode_cursor(page[-1].seq) if len(found) > limit else None)
