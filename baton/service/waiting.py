"""What an execution waits for, beside the event that brought it to wait."""

from dataclasses import replace
from typing import Final

from baton.domain.events import Event
from baton.domain.ids import ExecutionId, TenantId
from baton.domain.states import ExecutionState
from baton.store.pool import Pool
from baton.store.waiting import waiting_after

#: Of what an execution waits for, so much is told with the event that brought it to wait; the execution has it all.
_WAITING_BYTES: Final = 256 * 1024
_WAITING_TASKS: Final = 1000
_WAITS: Final = (ExecutionState.WAITING, ExecutionState.PAUSED)


def brings_to_wait(event: Event) -> bool:
    """Whether an event brought its execution to wait for people."""
    return event.execution_state in _WAITS


async def with_waiting(pool: Pool, tenant_id: TenantId, execution_id: ExecutionId, event: Event) -> Event:
    """An event with the tasks that waited, and those that were paused, if it brought its execution to wait.

    The log says that with other events: it is looked up, and cut where it is large. Raises `Unavailable`.
    """
    if not brings_to_wait(event):
        return event
    async with pool.connection() as connection:
        waiting, paused = await waiting_after(
            connection, tenant_id, execution_id, event.seq, most_bytes=_WAITING_BYTES, limit=_WAITING_TASKS
        )
    return replace(event, waiting=waiting, paused=paused)
