"""What other events of a log have said, beside the event that it belongs to: what is asked, and what waits."""

from dataclasses import replace
from typing import Final

from baton.domain.events import Event
from baton.domain.events.outcomes import open_ids
from baton.domain.ids import ExecutionId, TenantId
from baton.domain.states import ExecutionState
from baton.store.pool import Pool
from baton.store.waiting import asked_by_ids, waiting_after

#: Of what an execution waits for, so much is told with the event that brought it to wait; the execution has it all.
_WAITING_BYTES: Final = 256 * 1024
_WAITING_TASKS: Final = 1000
_WAITS: Final = (ExecutionState.WAITING, ExecutionState.PAUSED)


def has_more(event: Event) -> bool:
    """Whether an event names by id what is asked, or brought its execution to wait for people."""
    return bool(open_ids(event.body)) or event.execution_state in _WAITS


async def with_waiting(pool: Pool, tenant_id: TenantId, execution_id: ExecutionId, event: Event) -> Event:
    """An event with the questions and approvals that it names; and with the tasks that waited, and those that were
    paused, if it brought its execution to wait.

    The log says that with other events: it is looked up. What a whole plan waits for is cut where it is large. Raises
    `Unavailable`.
    """
    if not has_more(event):
        return event
    async with pool.connection() as connection:
        ids = open_ids(event.body)
        if ids and event.task_id is not None:
            questions, approvals = await asked_by_ids(connection, tenant_id, execution_id, event.task_id, ids)
            event = replace(event, questions=questions, approvals=approvals)
        if event.execution_state not in _WAITS:
            return event
        waiting, paused = await waiting_after(
            connection, tenant_id, execution_id, event.seq, most_bytes=_WAITING_BYTES, limit=_WAITING_TASKS
        )
    return replace(event, waiting=waiting, paused=paused)
