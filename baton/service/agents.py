"""Agents: which one a caller means, and which one a tenant begins with."""

from typing import Final
from uuid import UUID

from baton.domain.agents import Agent, Principal
from baton.domain.errors import AgentNotFound, InvalidInput
from baton.domain.ids import TenantId
from baton.domain.json import INT64_MAX, INT64_MIN, unstorable_text
from baton.store import agents, tenants
from baton.store.pool import Connection, Pool

#: The agent that a new tenant begins with: the scripted model needs no provider.
FIRST_AGENT: Final = "assistant"
FIRST_MODEL: Final = "scripted"
FIRST_TOOLS: Final = ("clock", "write_note", "read_notes")

#: How callers name an agent: its uuid, its integer, its name; None for the key's own agent, else the default one.
AgentReference = UUID | int | str | None


async def ensure_tenant(pool: Pool, name: str) -> TenantId:
    """The id of the tenant of that name, made with a default agent if there is none. Raises `InvalidInput`."""
    if not name.strip() or unstorable_text(name):
        raise InvalidInput("a tenant needs a name", ("tenant",))
    async with pool.transaction() as connection:
        tenant_id = await tenants.ensure(connection, name)
        if await agents.default(connection, tenant_id) is None:
            await agents.ensure_default(connection, tenant_id, FIRST_AGENT, FIRST_MODEL, FIRST_TOOLS)
        return tenant_id


async def default_agent(pool: Pool, tenant_name: str) -> Agent:
    """The default agent of a tenant; both are made if there are none. Raises `InvalidInput`."""
    tenant_id = await ensure_tenant(pool, tenant_name)
    async with pool.connection() as connection:
        return await agents.ensure_default(connection, tenant_id, FIRST_AGENT, FIRST_MODEL, FIRST_TOOLS)


async def resolve_agent(connection: Connection, who: Principal, reference: AgentReference) -> Agent:
    """The agent that a caller means. Text is taken for a uuid or an integer where it reads as one, else for a name.

    Raises `AgentNotFound`, also for an agent that exists but is not the key's own.
    """
    agent = await _find(connection, who, reference)
    if agent is None or (who.agent_id is not None and agent.id != who.agent_id):
        raise AgentNotFound("there is no such agent" if reference is not None else "there is no default agent")
    return agent


async def _find(connection: Connection, who: Principal, reference: AgentReference) -> Agent | None:
    if reference is None:
        if who.agent_id is not None:
            return await agents.by_id(connection, who.tenant_id, who.agent_id)
        return await agents.default(connection, who.tenant_id)
    if isinstance(reference, str):
        reference = parse_reference(reference)
    if isinstance(reference, UUID):
        return await agents.by_id(connection, who.tenant_id, reference)
    if isinstance(reference, int):
        if not INT64_MIN <= reference <= INT64_MAX:
            return None
        return await agents.by_number(connection, who.tenant_id, reference)
    return None if unstorable_text(reference) else await agents.by_name(connection, who.tenant_id, reference)


def parse_reference(text: str) -> UUID | int | str:
    """What a caller's text names an agent by."""
    if text.isascii() and text.isdigit() and len(text) <= 19:
        return int(text)
    if len(text) == 36:
        try:
            return UUID(text)
        except ValueError:
            return text
    return text
