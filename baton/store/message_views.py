"""Messages, read as they are now."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from baton.domain.authors import Author
from baton.domain.ids import Bounds, MessageId, TaskId, TenantId
from baton.domain.states import MessageState
from baton.domain.views import MessageView
from baton.store.codecs import ATTACHMENTS
from baton.store.pages import PAGE_BYTES, CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import fetchrow, fetchval, within


async def view(connection: Connection, tenant_id: TenantId, message_id: MessageId) -> MessageView | None:
    """A message, or None."""
    row = await fetchrow(connection, "message_view", tenant=tenant_id, message=message_id)
    return None if row is None else _message_of(row)


async def page(
    connection: Connection,
    tenant_id: TenantId,
    task_id: TaskId,
    *,
    after: int,
    limit: int,
    most_bytes: int = PAGE_BYTES,
    states: Sequence[MessageState] | None = None,
) -> CutPage[MessageView]:
    """A task's messages with a number above ``after``, in order."""
    rows = await fetch_page(
        connection,
        "list_messages",
        tenant=tenant_id,
        task=task_id,
        after=after,
        limit=limit,
        most_bytes=most_bytes,
        states=states,
    )
    return rows.each(_message_of)


async def dead(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> CutPage[MessageView]:
    """Dead messages of all tasks, those first that died first. ``after``: ended_at and id where a page ended."""
    ended_at, message_id = after or (None, None)
    rows = await fetch_page(
        connection,
        "list_dead_messages",
        **within(bounds),
        after_time=ended_at,
        after_id=message_id,
        limit=limit,
    )
    return rows.each(_message_of)


async def last_text(connection: Connection, tenant_id: TenantId, task_id: TaskId) -> str | None:
    """The text of the last message that was sent to a task and not withdrawn; None if there is none."""
    return await fetchval(connection, "last_message_text", tenant=tenant_id, task=task_id)


def _message_of(row: asyncpg.Record) -> MessageView:
    return MessageView(
        id=row["id"],
        seq=row["seq"],
        task_id=row["task_id"],
        execution_id=row["execution_id"],
        state=MessageState(row["state"]),
        turn=row["turn"],
        text=row["text"],
        attachments=ATTACHMENTS.read(row["attachments"]),
        origin=row["origin"],
        sender=row["sender"],
        author=None if row["author"] is None else Author.recorded(row["author"], row["sender"]),
        answers=tuple(row["answers"]),
        reason=row["reason"],
        accepted_at=row["accepted_at"],
        claimed_at=row["claimed_at"],
        ended_at=row["ended_at"],
        pinned=row["pinned"],
        task_version=row["task_version"],
    )
