"""Make, list and revoke keys."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from domain.agents import Scope
from domain.errors import AgentNotFound, InvalidInput, NotFound
from domain.json import unstorable_text
from domain.keys import digest_of, new_key
from service.agents import ensure_tenant
from store import agents, keys, tenants
from store.pool import Pool

_MOST_PER_MINUTE: Final = 1_000_000
#: What a key may do if nothing else is said.
DEFAULT_SCOPES: Final = (Scope.READ, Scope.SEND, Scope.WRITE)


async def create_key(
    pool: Pool,
    tenant_name: str,
    scopes: Sequence[Scope] = DEFAULT_SCOPES,
    agent_number: int | None = None,
    name: str = "",
    expires_in: timedelta | None = None,
    per_minute: int | None = None,
) -> str:
    """Make a key, and its tenant with a default agent if there is none by that name. Returns the key's text, which is
    not stored and cannot be had again.

    ``agent_number`` binds the key to that agent of the tenant. ``per_minute``: requests that it may make a minute, 0
    for any number, None for as many as any key (`BATON_REQUESTS_PER_MINUTE`). Raises `AgentNotFound`, `InvalidInput`.
    """
    if not scopes:
        raise InvalidInput("a key needs at least one scope", ("scopes",))
    if per_minute is not None and not 0 <= per_minute <= _MOST_PER_MINUTE:
        raise InvalidInput(f"requests a minute must be 0 (any number) to {_MOST_PER_MINUTE}", ("per_minute",))
    if expires_in is not None and expires_in <= timedelta():
        raise InvalidInput("a key must last longer than no time", ("expires_in",))
    if reason := unstorable_text(name):
        raise InvalidInput(reason, ("name",))
    tenant_id = await ensure_tenant(pool, tenant_name)
    text = new_key()
    async with pool.transaction() as connection:
        agent = None if agent_number is None else await agents.by_number(connection, tenant_id, agent_number)
        if agent_number is not None and agent is None:
            raise AgentNotFound(f"the tenant {tenant_name!r} has no agent {agent_number}")
        await keys.insert(
            connection,
            tenant_id,
            uuid4(),
            digest_of(text),
            name=name,
            scopes=set(scopes),
            agent_id=None if agent is None else agent.id,
            per_minute=per_minute,
            expires_at=None if expires_in is None else datetime.now(UTC) + expires_in,
        )
    return text


async def list_keys(pool: Pool, tenant_name: str) -> list[keys.Key]:
    """A tenant's keys, oldest first, without their secrets. Raises `NotFound` for an unknown tenant."""
    async with pool.connection() as connection:
        tenant_id = await tenants.by_name(connection, tenant_name)
        if tenant_id is None:
            raise NotFound(f"there is no tenant {tenant_name!r}")
        return await keys.of_tenant(connection, tenant_id)


async def revoke_key(pool: Pool, tenant_name: str, key_id: UUID) -> None:
    """Revoke a key: it stops working within `principal_cache_seconds`. Raises `NotFound`."""
    async with pool.connection() as connection:
        tenant_id = await tenants.by_name(connection, tenant_name)
        if tenant_id is None or not await keys.revoke(connection, tenant_id, key_id):
            raise NotFound("there is no such key")
