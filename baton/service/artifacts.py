"""Artifacts: listed, and read part by part."""

from datetime import datetime
from typing import Final
from uuid import UUID

from baton.domain.agents import Principal
from baton.domain.artifacts import ArtifactPart, KeptArtifact
from baton.domain.errors import ExecutionNotFound, TaskNotFound
from baton.domain.ids import ArtifactId, ExecutionId, TaskAddress
from baton.domain.views import Page
from baton.service.context import Baton
from baton.service.cursors import TIME_AND_ID, decode_cursor, encode_cursor
from baton.service.visibility import find_artifact, find_execution, find_task
from baton.store import artifacts, events, tasks
from baton.store.pages import CutPage

#: How many bytes of an artifact a caller gets at once.
MOST_BYTES: Final = 1024 * 1024


async def artifacts_of_task(
    baton: Baton, who: Principal, address: TaskAddress, *, limit: int, cursor: str | None = None
) -> Page[KeptArtifact]:
    """A page of a task's artifacts, oldest first. Raises what `find_task` raises, and `InvalidInput` for a bad
    cursor."""
    after = _place(cursor)
    seen = await find_task(baton, who, address)
    async with baton.pool.connection() as connection:
        found = await artifacts.page(
            connection, seen.tenant_id, seen.route.execution_id, seen.id, limit=limit, after=after
        )
        if not found and await tasks.view(connection, seen.tenant_id, seen.id) is None:
            raise TaskNotFound("there is no such task")
    return _page(found)


async def artifacts_of_execution(
    baton: Baton, who: Principal, execution_id: ExecutionId, *, limit: int, cursor: str | None = None
) -> Page[KeptArtifact]:
    """A page of the artifacts of all of an execution's tasks, oldest first. Raises `ExecutionNotFound`, and
    `InvalidInput` for a bad cursor."""
    after = _place(cursor)
    seen = await find_execution(baton, who, execution_id)
    async with baton.pool.connection() as connection:
        found = await artifacts.page(connection, seen.tenant_id, seen.id, None, limit=limit, after=after)
        if not found and await events.head(connection, seen.tenant_id, seen.id) is None:
            raise ExecutionNotFound("there is no such execution")
    return _page(found)


def _place(cursor: str | None) -> tuple[datetime, UUID] | None:
    return None if cursor is None else decode_cursor(cursor, TIME_AND_ID)


def _page(found: CutPage[KeptArtifact]) -> Page[KeptArtifact]:
    page = tuple(found)
    return Page(page, encode_cursor(page[-1].created_at, page[-1].id) if found.more else None)


async def read_artifact(
    baton: Baton, who: Principal, artifact_id: ArtifactId, *, offset: int, limit: int
) -> ArtifactPart:
    """Up to ``limit`` bytes of an artifact, from ``offset`` on. Raises `ArtifactNotFound`."""
    seen = await find_artifact(baton, who, artifact_id)
    async with baton.pool.connection() as connection:
        return await artifacts.part(connection, seen.tenant_id, seen.id, offset=offset, length=limit)
