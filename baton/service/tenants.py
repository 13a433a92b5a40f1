"""Tenants: each is made with an agent to begin with, and may be acted for by whoever runs Baton."""

from dataclasses import replace
from typing import Final

from baton.domain.agents import Agent, Principal, Scope
from baton.domain.approvals import Policy
from baton.domain.errors import InvalidInput, NotFound
from baton.domain.ids import TenantId
from baton.domain.json import JsonObject, unstorable_text
from baton.domain.quota import UNLIMITED
from baton.domain.texts import check_text
from baton.store import agents, tenants
from baton.store.pool import Pool

#: The agent that a new tenant begins with: the scripted model needs no provider.
FIRST_AGENT: Final = "assistant"
FIRST_MODEL: Final = "scripted"
FIRST_TOOLS: Final = ("clock", "write_note", "read_notes")
#: Notes are seen by the tasks of one execution alone.
FIRST_POLICIES: Final[JsonObject] = {"write_note": Policy.ALLOW}


async def ensure_tenant(pool: Pool, name: str) -> TenantId:
    """The id of the tenant of that name, made with a default agent if there is none. Raises `InvalidInput`."""
    if not name.strip() or unstorable_text(name):
        raise InvalidInput("a tenant needs a name", ("tenant",))
    async with pool.transaction() as connection:
        tenant_id = await tenants.ensure(connection, name)
        if await agents.default(connection, tenant_id) is None:
            await agents.ensure_default(connection, tenant_id, FIRST_AGENT, FIRST_MODEL, FIRST_TOOLS, FIRST_POLICIES)
        return tenant_id


async def default_agent(pool: Pool, tenant_name: str) -> Agent:
    """The default agent of a tenant; both are made if there are none. Raises `InvalidInput`."""
    tenant_id = await ensure_tenant(pool, tenant_name)
    async with pool.connection() as connection:
        return await agents.ensure_default(connection, tenant_id, FIRST_AGENT, FIRST_MODEL, FIRST_TOOLS, FIRST_POLICIES)


async def change_model(pool: Pool, agent: Agent, model: str) -> None:
    """Give an agent another model. Raises `InvalidInput`."""
    check_text(model, "model", longest=255)
    async with pool.transaction() as connection:
        now = await agents.lock(connection, agent.tenant_id, agent.id)
        if now is not None and now.model != model:
            await agents.update(connection, replace(now, model=model))


async def operator(pool: Pool, tenant_name: str) -> Principal:
    """Whoever runs Baton, beside the database, as a caller who may do everything in that tenant. Raises `NotFound`."""
    async with pool.connection() as connection:
        tenant_id = await tenants.by_name(connection, tenant_name)
    if tenant_id is None:
        raise NotFound(f"there is no tenant {tenant_name!r}")
    return Principal(tenant_id, tenant_name, "operator", "operator", frozenset({Scope.ADMIN}), per_minute=UNLIMITED)
