"""Make API keys straight in the database: for who administers it, and for the first key of all."""

from collections.abc import Iterable
from uuid import uuid4

from domain.agents import Scope
from domain.errors import NotFound
from domain.ids import AgentId, TenantId
from domain.keys import digest_of, new_key
from store import agents, keys, tenants
from store.pool import Connection, open_pool


async def make_key(
    dsn: str, tenant: str, scopes: Iterable[Scope], *, agent: int | None, name: str, per_minute: int | None
) -> str:
    """A new key of ``tenant``, which is made if there is none; the database keeps its digest alone.

    ``agent`` is the integer of the only agent that it may use, ``per_minute`` its rate limit; None: any, no limit.
    Raises NotFound if the tenant has no such agent, Unavailable if the database cannot be reached.
    """
    pool = await open_pool(dsn, min_size=0, max_size=1, application="baton keys")
    try:
        async with pool.transaction() as connection:
            tenant_id = await tenants.ensure(connection, tenant)
            agent_id: AgentId | None = None
            if agent is not None:
                found = await agents.by_number(connection, tenant_id, agent)
                if found is None:
                    raise NotFound(f"tenant {tenant!r} has no agent {agent}")
                agent_id = found.id
            return await insert_key(connection, tenant_id, scopes, agent_id, name, per_minute)
    finally:
        await pool.close()


async def insert_key(
    connection: Connection,
    tenant_id: TenantId,
    scopes: Iterable[Scope],
    agent_id: AgentId | None,
    name: str,
    per_minute: int | None,
) -> str:
    """As `make_key`, in the caller's transaction."""
    key = new_key()
    await keys.insert(
        connection,
        tenant_id,
        uuid4(),
        digest_of(key),
        name=name,
        scopes=scopes,
        agent_id=agent_id,
        per_minute=per_minute,
        expires_at=None,
    )
    return key
