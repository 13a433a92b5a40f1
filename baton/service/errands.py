"""Errands: reading them, listing them, and stopping the one that a task is at."""

from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from baton.domain.agents import Principal
from baton.domain.errands import Errand, TaskWithErrand
from baton.domain.errors import InvalidInput, MessageNotFound, TaskNotFound
from baton.domain.ids import TaskById, TaskId
from baton.domain.json import INT64_MAX
from baton.domain.views import Page
from baton.service.context import Baton
from baton.service.control import change_task
from baton.service.cursors import decode_cursor, encode_cursor
from baton.service.views import Reads
from baton.store import errands
from baton.store.pool import Connection

_NUMBER: Final = TypeAdapter(tuple[int])


async def get_errand(baton: Reads, who: Principal, errand_id: UUID) -> Errand:
    """An errand, by its message's id or, where it is a task's description, by the task's.

    Raises `MessageNotFound`, also where the caller's key is for another agent than the task's.
    """
    async with baton.pool.connection() as connection:
        return await _find(connection, who, errand_id)


async def get_last_errand(baton: Reads, who: Principal, task_id: TaskId) -> Errand:
    """The last errand of a task that was not withdrawn. Raises `TaskNotFound`."""
    async with baton.pool.connection() as connection:
        found = await errands.page(connection, who.tenant_id, task_id, limit=1, withdrawn=False)
    if not found:
        raise TaskNotFound("there is no such task")
    return found[0]


async def list_errands(
    baton: Reads, who: Principal, task_id: TaskId, *, limit: int, cursor: str | None = None
) -> Page[Errand]:
    """A page of a task's errands in the order in which they were told; the first page has the last of them, and
    its cursor reads on with those before. Raises `InvalidInput` for a bad cursor.
    """
    before = INT64_MAX if cursor is None else _place(cursor)
    async with baton.pool.connection() as connection:
        found = await errands.page(connection, who.tenant_id, task_id, limit=limit + 1, highest=before - 1)
    page = tuple(reversed(found[:limit]))
    return Page(page, encode_cursor(page[0].seq) if len(found) > limit else None)


async def list_tasks(baton: Reads, who: Principal, *, limit: int, cursor: str | None = None) -> Page[TaskWithErrand]:
    """A page of the tasks that are not archived, newest first; a key that is for one agent sees that one's.

    Raises `InvalidInput` for a bad cursor.
    """
    before = None if cursor is None else _place(cursor)
    async with baton.pool.connection() as connection:
        found = await errands.tasks_with_errands(
            connection, who.tenant_id, limit=limit + 1, agent_id=who.agent_id, before=before
        )
    page = tuple(found[:limit])
    return Page(page, encode_cursor(page[-1].number) if len(found) > limit else None)


async def last_said(baton: Reads, who: Principal, task_id: TaskId, seq: int, key: str) -> str | None:
    """What was said last under a key of the metadata, by the execution or a message, up to the errand ``seq``."""
    async with baton.pool.connection() as connection:
        return await errands.last_said(connection, who.tenant_id, task_id, seq, key)


async def stop_errand(baton: Baton, who: Principal, errand_id: UUID) -> Errand:
    """Pause the task that is at an errand, or will be; the errand as it is then. One that is cancelled is left alone.

    Raises `MessageNotFound`, and `Conflict` for one that is over otherwise: a later one goes on.
    """
    async with baton.pool.connection() as connection:
        errand = await _find(connection, who, errand_id)
    await change_task(
        baton, who, TaskById(errand.task_id), lambda c, route: errands.stop(c, route, errand_id, who.subject)
    )
    return await get_errand(baton, who, errand_id)


async def archive_task(baton: Reads, who: Principal, task_id: TaskId) -> None:
    """Put a task out of the way of lists; it goes on, and can be read and written to. Raises `TaskNotFound`."""
    async with baton.pool.connection() as connection:
        if not await errands.archive(connection, who.tenant_id, task_id):
            raise TaskNotFound("there is no such task")


async def _find(connection: Connection, who: Principal, errand_id: UUID) -> Errand:
    found = await errands.find(connection, who.tenant_id, errand_id)
    if found is None or not who.sees(found.agent_id):
        raise MessageNotFound("there is no such message")
    return found


def _place(cursor: str) -> int:
    place = decode_cursor(cursor, _NUMBER)[0]
    if not 0 < place <= INT64_MAX:
        raise InvalidInput("the cursor is not one that this list gave", ("query", "cursor"))
    return place
