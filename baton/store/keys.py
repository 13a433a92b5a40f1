"""Keys: stored as digests, looked up by them."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

import asyncpg

from baton.domain.agents import Scope
from baton.domain.ids import AgentId, Bounds, TenantId
from baton.domain.keys import Key
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow, fetchval, within


async def insert(
    connection: Connection,
    tenant_id: TenantId,
    key_id: UUID,
    digest: bytes,
    *,
    name: str,
    scopes: Iterable[Scope],
    agent_id: AgentId | None,
    per_minute: int | None,
    expires_at: datetime | None,
) -> None:
    """Store a key by the SHA-256 ``digest`` of its text."""
    await execute(
        connection,
        "insert_key",
        tenant=tenant_id,
        key=key_id,
        digest=digest,
        name=name,
        scopes=sorted(scopes),
        agent=agent_id,
        per_minute=per_minute,
        expires_at=expires_at,
    )


async def by_digest(connection: Connection, digest: bytes) -> Key | None:
    """The key with this digest, if it counts now: neither revoked nor expired."""
    row = await fetchrow(connection, "key_by_digest", digest=digest)
    return None if row is None else _key_of(row)


async def note_uses(connection: Connection, used: Collection[tuple[TenantId, UUID]]) -> None:
    """Note that these keys, by tenant and id, are in use now."""
    await execute(connection, "note_key_uses", tenants=[tenant for tenant, _ in used], keys=[key for _, key in used])


async def by_id(connection: Connection, tenant_id: TenantId, key_id: UUID) -> Key | None:
    """A key of the tenant, whether it counts or not."""
    row = await fetchrow(connection, "key_by_id", tenant=tenant_id, key=key_id)
    return None if row is None else _key_of(row)


async def page(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int | None = None,
    after: tuple[datetime, UUID] | None = None,
) -> list[Key]:
    """Keys, oldest first, revoked ones too; all of them without a ``limit``.

    ``after``: created_at and id where a page ended.
    """
    created_at, key_id = after or (None, None)
    rows = await fetch(connection, "list_keys", **within(bounds), after_time=created_at, after_id=key_id, limit=limit)
    return [_key_of(row) for row in rows]


async def revoke(connection: Connection, tenant_id: TenantId, key_id: UUID) -> bool:
    """Revoke a key; a repeat changes nothing. False if the tenant has no such key."""
    return await fetchval(connection, "revoke_key", tenant=tenant_id, key=key_id) is not None


def _key_of(row: asyncpg.Record) -> Key:
    return Key(
        tenant_id=row["tenant_id"],
        tenant=row["tenant"],
        id=row["id"],
        name=row["name"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"] if scope in set(Scope)),
        agent_id=row["agent_id"],
        agent_number=row["agent_number"],
        per_minute=row["per_minute"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
