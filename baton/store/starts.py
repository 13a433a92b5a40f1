"""What was started under which Idempotency-Key. The key's row is written in the transaction of what it starts."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from baton.domain.starts import Start
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow

_KEY_TWICE: Final = "starts_key_unique"


class KeyTakenError(Exception):
    """Something was started under this key: the transaction is aborted, and `find` says what."""


@dataclass(frozen=True, slots=True)
class Started:
    """What was started under a key: ``made_id`` names it, ``digest`` is of what was asked for."""

    made_id: UUID
    digest: bytes


async def claim(connection: Connection, start: Start, made_id: UUID) -> None:
    """Take a key for what this transaction starts under ``made_id``. Raises `KeyTakenError`.

    Of twins at the same time the second waits for the first one's commit.
    """
    try:
        await execute(
            connection,
            "insert_start",
            tenant=start.tenant_id,
            scope=start.scope,
            idempotency_key=start.key,
            digest=start.digest,
            made=made_id,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _KEY_TWICE:
            raise
        raise KeyTakenError from error


async def find(connection: Connection, start: Start) -> Started | None:
    """What was started under the same key; None for nothing, or where that is forgotten by now."""
    row = await fetchrow(
        connection, "start_by_key", tenant=start.tenant_id, scope=start.scope, idempotency_key=start.key
    )
    return None if row is None else Started(row["made_id"], row["digest"])


async def expire(connection: Connection, seconds: float, limit: int) -> int:
    """Forget up to ``limit`` starts that are more than ``seconds`` old, of all tenants. Returns how many."""
    return len(await fetch(connection, "expire_starts", seconds=seconds, limit=limit))
