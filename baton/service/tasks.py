"""Tasks: read, listed, and put out of the way."""

from collections.abc import Sequence

from baton.domain.agents import AgentReference, Principal
from baton.domain.errands import TaskWithErrand
from baton.domain.errors import ExecutionNotFound, TaskNotFound
from baton.domain.ids import ExecutionId, TaskAddress, TaskRoute
from baton.domain.states import ExecutionState, TaskState
from baton.domain.views import MetadataAt, Page, TaskDetails, TaskView
from baton.service.context import Baton
from baton.service.cursors import NUMBER, ORDINAL, TIME_AND_ID, decode_cursor, encode_cursor
from baton.service.filters import check_metadata
from baton.service.numbered import NUMBERED_BYTES, check_whole
from baton.service.visibility import find_bounds, find_execution, find_task
from baton.store import tasks


async def get_task(baton: Baton, who: Principal, address: TaskAddress) -> TaskView:
    """A task. Raises `TaskNotFound`, and what `find_task` raises."""
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        found = await tasks.view(connection, seen.tenant_id, seen.id)
    if found is None:
        raise TaskNotFound("there is no such task")
    return found


async def get_task_details(baton: Baton, who: Principal, address: TaskAddress) -> TaskDetails:
    """A task with what few ask for. Raises like `get_task`."""
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        found = await tasks.details(connection, seen.tenant_id, seen.id)
    if found is None:
        raise TaskNotFound("there is no such task")
    return found


async def list_tasks(
    baton: Baton,
    who: Principal,
    *,
    limit: int,
    states: Sequence[TaskState] | None = None,
    execution_id: ExecutionId | None = None,
    cursor: str | None = None,
) -> Page[TaskView]:
    """A page of tasks, newest first; of those that wait, and nothing else asked for, the longest waiting first.

    ``execution_id``: only those of one execution, none for one that is not there. Raises `InvalidInput` for a bad
    cursor.
    """
    if states is not None and set(states) == {TaskState.WAITING} and execution_id is None:
        return await _inbox(baton, who, limit, cursor)
    before = None if cursor is None else decode_cursor(cursor, NUMBER)[0]
    try:
        execution = None if execution_id is None else await find_execution(baton, who, execution_id)
    except ExecutionNotFound:
        return Page(())
    async with baton.pool.connection() as connection:
        found = await tasks.page(
            connection,
            who.bounds,
            limit=limit,
            states=states,
            execution_id=execution and execution.id,
            before=before,
        )
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].number) if found.more else None)


async def _inbox(baton: Baton, who: Principal, limit: int, cursor: str | None) -> Page[TaskView]:
    after = None if cursor is None else decode_cursor(cursor, TIME_AND_ID)
    async with baton.pool.connection() as connection:
        found = await tasks.waiting(connection, who.bounds, limit=limit, after=after)
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].waiting_since, page[-1].id) if found.more else None)


async def page_tasks(
    baton: Baton,
    who: Principal,
    *,
    limit: int,
    offset: int = 0,
    stages: Sequence[tuple[TaskState, bool]] | None = None,
    metadata: MetadataAt | None = None,
    parameter: str = "limit",
) -> Page[TaskDetails]:
    """Tasks by offset, newest first, with their total.

    ``stages``: only tasks in one of these states, each with whether a turn is under way. ``metadata``: their
    executions'. Raises `InvalidInput` like `check_whole` and `check_metadata`.
    """
    check_metadata(metadata)
    async with baton.pool.connection() as connection:
        found = await tasks.details_page(
            connection,
            who.bounds,
            limit=limit,
            most_bytes=NUMBERED_BYTES,
            offset=offset,
            standings=stages,
            metadata=metadata,
        )
        check_whole(found, parameter)
        total = await tasks.count(connection, who.bounds, standings=stages, metadata=metadata)
    return Page(tuple(found), total=total)


async def page_single_tasks(
    baton: Baton,
    who: Principal,
    *,
    limit: int,
    offset: int = 0,
    states: Sequence[ExecutionState] | None = None,
    agent: AgentReference = None,
    parameter: str = "limit",
) -> list[TaskView]:
    """The tasks of executions that are no plans, by offset, newest first.

    Raises `AgentNotFound`, and `InvalidInput` like `check_whole`.
    """
    async with baton.pool.connection() as connection:
        bounds = await find_bounds(connection, who, agent)
        found = await tasks.single_tasks(
            connection, bounds, limit=limit, most_bytes=NUMBERED_BYTES, offset=offset, states=states
        )
    return check_whole(found, parameter)


async def list_tasks_with_errands(
    baton: Baton, who: Principal, *, limit: int, cursor: str | None = None
) -> Page[TaskWithErrand]:
    """A page of the tasks that are not archived, newest first, each with its last errand. Raises `InvalidInput` for a
    bad cursor."""
    before = None if cursor is None else decode_cursor(cursor, ORDINAL)[0]
    async with baton.pool.connection() as connection:
        found = await tasks.with_errands(connection, who.bounds, limit=limit, before=before)
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].number) if found.more else None)


async def archive_task(baton: Baton, who: Principal, address: TaskAddress) -> TaskRoute:
    """Put a task out of the way of lists; it goes on, and can be read and written to. Returns where it lives. Raises
    like `get_task`."""
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        if not await tasks.archive(connection, seen.tenant_id, seen.id):
            raise TaskNotFound("there is no such task")
    return seen.route
