"""Reads of what was said and done in a task."""

from baton.domain.agents import Principal
from baton.domain.ids import TaskId
from baton.domain.timeline import Timeline
from baton.service.views import Reads
from baton.store import timeline


async def get_timeline(baton: Reads, who: Principal, task_id: TaskId) -> Timeline:
    """All that was said and done in a task of the caller's tenant; nothing for a task that there is not."""
    async with baton.pool.connection() as connection:
        return await timeline.timeline(connection, who.tenant_id, task_id)


async def get_last_message(baton: Reads, who: Principal, task_id: TaskId) -> str | None:
    """The text of the last message that was sent to a task and not withdrawn; None if there is none."""
    async with baton.pool.connection() as connection:
        return await timeline.last_message(connection, who.tenant_id, task_id)
