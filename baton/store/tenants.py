"""Tenants: whose everything is."""

from uuid import uuid4

from baton.domain.ids import TenantId
from baton.store.pool import Connection
from baton.store.queries import fetchval


async def ensure(connection: Connection, name: str) -> TenantId:
    """The id of the tenant of that name, made if there is none."""
    return await fetchval(connection, "ensure_tenant", tenant=uuid4(), name=name)


async def by_name(connection: Connection, name: str) -> TenantId | None:
    """The id of the tenant of that name, or None."""
    return await fetchval(connection, "tenant_by_name", name=name)
