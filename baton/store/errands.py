"""Errands: a message, or a task's description, with what was done about it (`baton.domain.errands`). Reads alone."""

from typing import Final
from uuid import UUID

import asyncpg

from baton.domain.errands import Errand
from baton.domain.errors import MessageNotFound
from baton.domain.ids import Bounds, ErrandId, TaskId, TenantId, whole_tenant
from baton.domain.json import INT64_MAX
from baton.store.codecs import QUESTIONS
from baton.store.pages import CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import fetchrow, fetchval, within
from baton.store.tasks import errand_state_of

#: The number of the errand that is a task's description.
DESCRIPTION: Final = 0


async def page(
    connection: Connection,
    tenant_id: TenantId,
    task_id: TaskId,
    *,
    limit: int,
    lowest: int = DESCRIPTION,
    highest: int = INT64_MAX,
    withdrawn: bool = True,
) -> CutPage[Errand]:
    """The last errands of a task with numbers from ``lowest`` to ``highest``, newest first, in one snapshot.

    ``withdrawn``: whether messages that were withdrawn count.
    """
    rows = await fetch_page(
        connection,
        "list_errands",
        tenant=tenant_id,
        task=task_id,
        lowest=lowest,
        highest=highest,
        withdrawn=withdrawn,
        limit=limit,
    )
    return rows.each(_errand_of)


async def home(connection: Connection, bounds: Bounds, errand_id: ErrandId) -> TaskId:
    """The task that an errand is of: never changes. Raises `MessageNotFound`."""
    row = await fetchrow(connection, "errand_home", **within(bounds), errand=errand_id)
    if row is None:
        raise MessageNotFound("there is no such message")
    return row["task_id"]


async def view(connection: Connection, tenant_id: TenantId, errand_id: UUID) -> Errand | None:
    """An errand by its id; None if there is none, or its message is being redriven right now."""
    at = await fetchrow(connection, "errand_home", **within(whole_tenant(tenant_id)), errand=errand_id)
    if at is None:
        return None
    found = await page(connection, tenant_id, at["task_id"], limit=1, lowest=at["seq"], highest=at["seq"])
    return found[0] if found and found[0].id == errand_id else None


async def last_said(connection: Connection, tenant_id: TenantId, task_id: TaskId, seq: int, key: str) -> str | None:
    """What was said last under a key of the metadata, by the execution or a message, up to the message ``seq``."""
    return await fetchval(connection, "last_said", tenant=tenant_id, task=task_id, seq=seq, field=key)


def _errand_of(row: asyncpg.Record) -> Errand:
    return Errand(
        id=row["id"],
        seq=row["seq"],
        task_id=row["task_id"],
        execution_id=row["execution_id"],
        agent_id=row["agent_id"],
        state=errand_state_of(row, superseded=row["superseded"]),
        superseded=row["superseded"],
        turn=row["turn"],
        last_turn=row["last_turn"],
        text=row["text"],
        metadata=row["metadata"],
        answer=row["answer"],
        asked=QUESTIONS.read(row["asked"]),
        held=tuple((tool, arguments) for tool, arguments in row["held"]),
        error=row["error"],
        given_at=row["given_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        after_event=row["after_event"],
        last_event=row["last_event"],
        task_turn=row["task_turn"],
        task_version=row["task_version"],
    )
