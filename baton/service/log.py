"""The log of an execution as lists, for callers that do not follow it: its events, and what was said and done."""

from collections.abc import Collection, Sequence

from baton.domain.agents import Principal
from baton.domain.errors import ExecutionNotFound
from baton.domain.events import Event, EventType
from baton.domain.ids import ExecutionId, TaskAddress
from baton.domain.timeline import NEWEST, Timeline, TimelinePlace
from baton.domain.views import Page
from baton.service.context import Baton
from baton.service.cursors import COUNT, TIMELINE, decode_cursor, encode_cursor
from baton.service.visibility import find_execution, find_task
from baton.service.waiting import with_waiting
from baton.store import events, transcripts


async def list_events(
    baton: Baton,
    who: Principal,
    execution_id: ExecutionId,
    types: Collection[EventType],
    *,
    newest_first: bool,
    beyond: int | None,
    limit: int,
) -> list[Event]:
    """A page of an execution's events of some types, or that changed its state, in order or newest first.

    ``beyond``: the number at which the page before ended, None for the first. Raises `ExecutionNotFound`.
    """
    seen = await find_execution(baton, who, execution_id)
    async with baton.pool.connection() as connection:
        found = await events.of_types(
            connection, seen.tenant_id, seen.id, types, newest_first=newest_first, beyond=beyond, limit=limit
        )
        if not found and beyond is None and await events.head(connection, seen.tenant_id, seen.id) is None:
            raise ExecutionNotFound("there is no such execution")
    return [await with_waiting(baton.pool, seen.tenant_id, seen.id, event) for event in found]


async def list_task_events(
    baton: Baton,
    who: Principal,
    address: TaskAddress,
    types: Sequence[EventType],
    *,
    limit: int,
    cursor: str | None = None,
    parameter: str = "cursor",
) -> Page[Event]:
    """A page of what an execution's log says of one task, in order; nothing is skipped by who reads on later.

    Raises `InvalidInput`, naming ``parameter``, for a bad cursor, and what `find_task` raises.
    """
    after = 0 if cursor is None else decode_cursor(cursor, COUNT, parameter)[0]
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        found = await events.of_task(connection, seen.route, types, after=after, limit=limit)
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].seq) if found.more else None)


async def get_timeline(
    baton: Baton, who: Principal, address: TaskAddress, cursor: str | None = None
) -> tuple[Timeline, str | None]:
    """What was said and done in a task: the newest, or what came before a page; and the cursor to what came before.

    Raises `InvalidInput` for a bad cursor, and what `find_task` raises.
    """
    seen = await find_task(baton, who, address)
    before = NEWEST
    if cursor is not None:
        message, turn, step, of_turn, of_step, ordinal = decode_cursor(cursor, TIMELINE)
        before = TimelinePlace(message, (turn, step), (of_turn, of_step, ordinal))
    async with baton.pool.connection() as connection:
        found = await transcripts.timeline(connection, seen.tenant_id, seen.id, before)
    older = found.older
    return found, None if older is None else encode_cursor(older.message, *older.step, *older.call)
