"""One execution as a whole, read piece by piece, for who keeps it elsewhere."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias
from uuid import UUID

from baton.domain.agents import Principal
from baton.domain.errors import ExecutionNotFound
from baton.domain.events import Event
from baton.domain.ids import ExecutionId, TenantId
from baton.domain.views import ExecutionView, MessageView, TaskView
from baton.service.context import Baton
from baton.service.executions import get_execution
from baton.service.visibility import find_execution
from baton.store import feed, message_views, tasks
from baton.store.feed import Known
from baton.store.pool import Pool

Exported: TypeAlias = TaskView | MessageView | Event
#: What is read at once, and so held while a client does not read on: so many, and so many bytes, one at least.
_PAGE: Final = 200
_PAGE_BYTES: Final = 64 * 1024


async def export_execution(
    baton: Baton, who: Principal, execution_id: ExecutionId
) -> tuple[ExecutionView, AsyncGenerator[Sequence[Exported]]]:
    """An execution without its tasks, and then all that `read_pages` gives, up to its last event as of now.

    Raises `ExecutionNotFound`.
    """
    seen = await find_execution(baton, who, execution_id)
    found = await get_execution(baton, who, seen.id)
    ids = [task.id for task in found.tasks or ()]
    pages = read_pages(baton.pool, seen.tenant_id, seen.id, ids, found.last_event)
    return replace(found, tasks=None), pages


async def read_pages(
    pool: Pool,
    tenant_id: TenantId,
    execution_id: ExecutionId,
    task_ids: Sequence[UUID],
    last_event: int,
    *,
    limit: int = _PAGE,
    most_bytes: int = _PAGE_BYTES,
) -> AsyncGenerator[Sequence[Exported]]:
    """An execution's tasks, then their messages, task by task and in order, then the events that are left of its log up
    to ``last_event``, in order.

    Between two pages no connection is held: what changes meanwhile may be seen in tasks and messages, which are newer
    than ``last_event``, and never older. Raises `ExecutionNotFound` where the execution goes away before the end, and
    `Unavailable`.
    """
    for task_id in task_ids:
        async with pool.connection() as connection:
            task = await tasks.view(connection, tenant_id, task_id)
        if task is None:
            raise _gone()
        yield (task,)
    for task_id in task_ids:
        seq, more = 0, True
        while more:
            async with pool.connection() as connection:
                page = await message_views.page(
                    connection, tenant_id, task_id, after=seq, limit=limit, most_bytes=most_bytes
                )
            if page:
                seq = page[-1].seq
                yield page
            more = page.more
    seq = 0
    while seq < last_event:
        async with pool.connection() as connection:
            known = [Known(tenant_id, execution_id, seq)]
            found = await feed.pages(connection, known, limit=limit, most_bytes=most_bytes)
        if execution_id not in found:
            raise _gone()
        events = [event for event in found[execution_id].events if event.seq <= last_event]
        if not events:  # the last of them are pruned
            return
        seq = events[-1].seq
        yield events


def _gone() -> ExecutionNotFound:
    return ExecutionNotFound("there is no such execution any more")
