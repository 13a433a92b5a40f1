"""Executions: read and listed. `baton.service.starts` starts them."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from baton.domain.agents import AgentReference, Principal
from baton.domain.errors import ExecutionNotFound, TaskNotFound
from baton.domain.ids import ExecutionId, TaskById
from baton.domain.states import ExecutionState
from baton.domain.views import ExecutionView, MetadataAt, Page
from baton.service.context import Baton
from baton.service.cursors import TIME_AND_ID, decode_cursor, encode_cursor
from baton.service.filters import check_metadata, check_search
from baton.service.numbered import NUMBERED_BYTES, check_whole
from baton.service.visibility import SeenExecution, SeenTask, find_bounds, find_execution, find_task
from baton.store import executions, tasks


async def get_execution(baton: Baton, who: Principal, execution_id: ExecutionId) -> ExecutionView:
    """An execution with its tasks. Raises `ExecutionNotFound`."""
    return await _read(baton, await find_execution(baton, who, execution_id))


async def find_plan_or_task(baton: Baton, who: Principal, some_id: UUID) -> SeenExecution | SeenTask:
    """The plan of that id; else the task of that id, or the only one of that execution. Raises `ExecutionNotFound`."""
    try:
        execution = await find_execution(baton, who, some_id)
    except ExecutionNotFound:
        try:
            return await find_task(baton, who, TaskById(some_id))
        except TaskNotFound:
            raise ExecutionNotFound("there is no such execution") from None
    return execution.only_task or execution


async def list_executions(
    baton: Baton,
    who: Principal,
    *,
    limit: int,
    states: Sequence[ExecutionState] | None = None,
    cursor: str | None = None,
) -> Page[ExecutionView]:
    """A page of all executions, newest first. Raises `InvalidInput` for a bad cursor."""
    after = None if cursor is None else decode_cursor(cursor, TIME_AND_ID)
    async with baton.pool.connection() as connection:
        found = await executions.page(connection, who.bounds, limit=limit, states=states, after=after)
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].created_at, page[-1].id) if found.more else None)


async def page_executions(
    baton: Baton,
    who: Principal,
    *,
    limit: int,
    offset: int = 0,
    in_plan: bool | None = None,
    states: Sequence[ExecutionState] | None = None,
    agent: AgentReference = None,
    asks: bool | None = None,
    id_part: str | None = None,
    metadata: MetadataAt | None = None,
    with_only_tasks: bool = False,
    parameter: str = "limit",
) -> Page[ExecutionView]:
    """Executions by offset, newest first, with their total: for dialects that page so.

    ``in_plan``: plans only, single tasks only, None for both. ``asks``: of those that wait, those that do for an answer
    (True) or for consent alone (False). ``id_part``: what their ids hold, in any case. ``with_only_tasks``: those that
    are no plans come with their task. Raises `AgentNotFound`, and `InvalidInput` like `check_whole`, `check_metadata`.
    """
    check_search(id_part)
    check_metadata(metadata)
    async with baton.pool.connection() as connection:
        bounds = await find_bounds(connection, who, agent)
        found = await executions.page(
            connection,
            bounds,
            limit=limit,
            most_bytes=NUMBERED_BYTES,
            offset=offset,
            in_plan=in_plan,
            states=states,
            asks=asks,
            id_part=id_part,
            metadata=metadata,
        )
        check_whole(found, parameter)
        total = await executions.count(
            connection, bounds, in_plan=in_plan, states=states, asks=asks, id_part=id_part, metadata=metadata
        )
        if with_only_tasks:
            single = [one.id for one in found if not one.in_plan]
            listed = await tasks.only_tasks(connection, who.tenant_id, single, most_bytes=NUMBERED_BYTES)
            only = {task.execution_id: task for task in check_whole(listed, parameter)}
            found = [replace(one, tasks=(only[one.id],)) if one.id in only else one for one in found]
    return Page(tuple(found), total=total)


async def _read(baton: Baton, seen: SeenExecution) -> ExecutionView:
    async with baton.pool.connection() as connection:
        found = await executions.view(connection, seen.tenant_id, seen.id)
    if found is None:
        raise ExecutionNotFound("there is no such execution")
    return found
