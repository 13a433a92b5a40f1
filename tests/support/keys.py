"""Keys of a tenant by its name, as whoever runs Baton makes, lists and revokes them."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from baton.domain.agents import Scope
from baton.domain.keys import Key
from baton.service import keys
from baton.service.keys import DEFAULT_SCOPES, Beside, NewKey
from baton.service.tenants import ensure_tenant, operator
from baton.store.pool import Pool


async def create_key(
    pool: Pool,
    tenant_name: str,
    scopes: Sequence[Scope] = DEFAULT_SCOPES,
    agent_number: int | None = None,
    name: str = "",
    expires_in: timedelta | None = None,
    per_minute: int | None = None,
) -> str:
    """Make a key, and its tenant if there is none by that name; the key's text."""
    new = NewKey(scopes, name, expires_in, per_minute)
    await ensure_tenant(pool, tenant_name)
    _, text = await keys.create_key(Beside(pool), await operator(pool, tenant_name), new, agent_number)
    return text


async def list_keys(pool: Pool, tenant_name: str) -> tuple[Key, ...]:
    """All keys of a tenant."""
    return (await keys.list_keys(Beside(pool), await operator(pool, tenant_name))).items


async def revoke_key(pool: Pool, tenant_name: str, key_id: UUID) -> None:
    """Revoke a tenant's key."""
    await keys.revoke_key(Beside(pool), await operator(pool, tenant_name), key_id)
