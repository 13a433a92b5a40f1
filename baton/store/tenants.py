"""Tenants: whose everything is."""

from uuid import uuid4

from baton.domain.ids import TenantId
from baton.store.pool import Connection
from baton.store.queries import query


async def ensure(connection: Connection, name: str) -> TenantId:
    """The id of the tenant of that name, made if there is none."""
    return await connection.fetchval(query("ensure_tenant"), uuid4(), name)


async def by_name(connection: Connection, name: str) -> TenantId | None:
    """The id of the tenant of that name, or None."""
    return await connection.fetchval(query("tenant_by_name"), name)
