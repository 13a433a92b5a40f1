"""Results of tool calls that are kept apart, and read part by part."""

from dataclasses import fields
from datetime import datetime
from uuid import UUID

from baton.domain.artifacts import ArtifactPart, KeptArtifact, NewArtifact, whole_text
from baton.domain.errors import ArtifactNotFound
from baton.domain.ids import ArtifactId, Bounds, ExecutionId, StepKey, TaskId, TenantId
from baton.store.pages import CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import execute, fetchrow, fetchval, of_step, within


async def add(connection: Connection, key: StepKey, call_id: str, artifact: NewArtifact) -> None:
    """Keep the result of a call of step ``key``."""
    await execute(
        connection,
        "add_artifact",
        **of_step(key),
        call=call_id,
        artifact=artifact.id,
        media_type=artifact.media_type,
        held=artifact.content,
        whole_bytes=artifact.whole_bytes,
    )


async def task_of(connection: Connection, bounds: Bounds, artifact_id: ArtifactId) -> TaskId:
    """The task that an artifact belongs to: never changes. Raises `ArtifactNotFound`."""
    task = await fetchval(connection, "route_by_artifact", **within(bounds), artifact=artifact_id)
    if task is None:
        raise ArtifactNotFound("there is no such artifact")
    return task


async def page(
    connection: Connection,
    tenant_id: TenantId,
    execution_id: ExecutionId,
    task_id: TaskId | None,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> CutPage[KeptArtifact]:
    """The artifacts of an execution, or of one of its tasks, oldest first. ``after``: created_at and id where a page
    ended."""
    after_time, after_id = after or (None, None)
    rows = await fetch_page(
        connection,
        "list_artifacts",
        tenant=tenant_id,
        execution=execution_id,
        task=task_id,
        after_time=after_time,
        after_id=after_id,
        limit=limit,
    )
    return rows.each(lambda row: KeptArtifact(**{field.name: row[field.name] for field in fields(KeptArtifact)}))


async def part(
    connection: Connection,
    tenant_id: TenantId,
    artifact_id: ArtifactId,
    *,
    offset: int,
    length: int,
    execution_id: ExecutionId | None = None,
) -> ArtifactPart:
    """Up to ``length`` bytes, 4 at least, of an artifact from ``offset`` on: whole characters, and from the next one on
    where the offset is within one.

    ``execution_id``: only an artifact of that execution. Raises `ArtifactNotFound`.
    """
    row = await fetchrow(
        connection,
        "artifact_part",
        tenant=tenant_id,
        artifact=artifact_id,
        execution=execution_id,
        first=offset + 1,
        length=length,
    )
    if row is None:
        raise ArtifactNotFound("there is no such artifact")
    text, skipped = whole_text(row["part"])
    begin = min(offset, row["size"]) + skipped
    end = begin + len(text.encode())
    return ArtifactPart(
        id=row["id"],
        task_id=row["task_id"],
        execution_id=row["execution_id"],
        turn=row["turn"],
        step=row["step"],
        call_id=row["call_id"],
        tool=row["tool"],
        media_type=row["media_type"],
        size=row["size"],
        whole_bytes=row["whole_bytes"],
        offset=begin,
        text=text,
        next_offset=end if end < row["size"] else None,
    )
