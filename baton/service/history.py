"""Reads of an execution's log as a list, for callers that do not follow it."""

from collections.abc import Collection

from baton.domain.agents import Principal
from baton.domain.errors import ExecutionNotFound
from baton.domain.events import Event, EventType
from baton.domain.ids import ExecutionId
from baton.service.views import Reads
from baton.service.visibility import may_use_execution
from baton.store import events


async def list_events(
    baton: Reads,
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
    async with baton.pool.connection() as connection:
        await may_use_execution(connection, who, execution_id)
        found = await events.of_types(
            connection, who.tenant_id, execution_id, types, newest_first=newest_first, beyond=beyond, limit=limit
        )
        if not found and beyond is None and await events.head(connection, who.tenant_id, execution_id) is None:
            raise ExecutionNotFound("there is no such execution")
    return found
