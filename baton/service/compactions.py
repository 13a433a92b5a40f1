"""Compactions of a task's context: listed, asked for, undone and redone."""

from typing import Final

from baton.domain.agents import Principal
from baton.domain.compactions import AskedCompaction
from baton.domain.errors import CompactionNotFound, TaskNotFound
from baton.domain.ids import TaskAddress
from baton.domain.views import CompactionView, Page
from baton.service.context import Baton
from baton.service.cursors import NUMBER, decode_cursor, encode_cursor
from baton.service.visibility import find_task
from baton.store import compactions, tasks

_MOST: Final = 2**31 - 1  #: as PostgreSQL counts them


async def list_compactions(
    baton: Baton, who: Principal, address: TaskAddress, *, limit: int, cursor: str | None = None
) -> Page[CompactionView]:
    """A page of a task's compactions, newest first. Raises what `find_task` raises, and `InvalidInput` for a bad
    cursor."""
    before = None if cursor is None else decode_cursor(cursor, NUMBER)[0]
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        found = await compactions.page(connection, seen.tenant_id, seen.id, limit=limit, before=before)
        if not found and await tasks.view(connection, seen.tenant_id, seen.id) is None:
            raise TaskNotFound("there is no such task")
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].compaction.number) if found.more else None)


async def ask_for_compaction(baton: Baton, who: Principal, address: TaskAddress) -> AskedCompaction:
    """Have the next step of a task make a summary, also where all that was said would fit its model's window. Again,
    before there is one, changes nothing.

    Raises what `find_task` raises, `TaskClosed` for a cancelled task, and `NothingToCompact`.
    """
    seen = await find_task(baton, who, address)
    async with baton.pool.transaction(seen.route.execution_id) as connection:
        return await compactions.ask(connection, seen.route, who.author)


async def undo_compaction(baton: Baton, who: Principal, address: TaskAddress, number: int) -> CompactionView:
    """Have the task's model read what a compaction stands for again, from its next step on; where that does not fit
    its window, another one is made. Again changes nothing.

    Raises what `find_task` raises, and `CompactionNotFound`.
    """
    seen = await find_task(baton, who, address)
    async with baton.pool.transaction(seen.route.execution_id) as connection:
        done = await compactions.undo(connection, seen.route, _known(number), who.author)
    baton.notifier.events(seen.route.execution_id)
    return done


async def redo_compaction(baton: Baton, who: Principal, address: TaskAddress, number: int) -> CompactionView:
    """Have the task's model read a summary again that was undone; of several the newest counts. Again changes nothing.

    Raises like `undo_compaction`.
    """
    seen = await find_task(baton, who, address)
    async with baton.pool.transaction(seen.route.execution_id) as connection:
        done = await compactions.redo(connection, seen.route, _known(number), who.author)
    baton.notifier.events(seen.route.execution_id)
    return done


def _known(number: int) -> int:
    """A number that a compaction may have. Raises `CompactionNotFound`."""
    if not 0 < number <= _MOST:
        raise CompactionNotFound("the task has no such compaction")
    return number
