"""Agents, by each of the names that callers have for them."""

from collections.abc import Sequence
from uuid import uuid4

import asyncpg

from domain.agents import Agent
from domain.ids import AgentId, TenantId
from domain.states import SendMode
from store.pool import Connection
from store.queries import query


async def insert(connection: Connection, agent: Agent) -> Agent:
    """Store an agent; its number is given here. Raises asyncpg.UniqueViolationError for a name that is taken."""
    row = await connection.fetchrow(
        query("insert_agent"),
        agent.tenant_id,
        agent.id,
        agent.name,
        agent.model,
        agent.instructions,
        list(agent.tools),
        agent.policies,
        agent.limits,
        agent.mode,
        agent.is_default,
    )
    assert row is not None
    return agent_of(row)


async def ensure_default(
    connection: Connection, tenant_id: TenantId, name: str, model: str, tools: Sequence[str] = ()
) -> Agent:
    """The tenant's default agent; made with this name, model and tools if it has none. Raises LookupError if the name
    is another agent's: that one is not made the default behind its owner's back."""
    await connection.execute(query("insert_default_agent"), tenant_id, uuid4(), name, model, list(tools))
    agent = await default(connection, tenant_id)
    if agent is None:
        raise LookupError(f"the tenant has an agent {name!r}, but none that is the default")
    return agent


async def by_id(connection: Connection, tenant_id: TenantId, agent_id: AgentId) -> Agent | None:
    """An agent by its uuid."""
    return _maybe(await connection.fetchrow(query("agent_by_id"), tenant_id, agent_id))


async def by_number(connection: Connection, tenant_id: TenantId, number: int) -> Agent | None:
    """An agent by its integer, which must fit 64 bits."""
    return _maybe(await connection.fetchrow(query("agent_by_number"), tenant_id, number))


async def by_name(connection: Connection, tenant_id: TenantId, name: str) -> Agent | None:
    """An agent by its name, exactly."""
    return _maybe(await connection.fetchrow(query("agent_by_name"), tenant_id, name))


async def default(connection: Connection, tenant_id: TenantId) -> Agent | None:
    """The agent of calls that name none."""
    return _maybe(await connection.fetchrow(query("default_agent"), tenant_id))


def agent_of(row: asyncpg.Record) -> Agent:
    """An agent from its row."""
    return Agent(
        tenant_id=row["tenant_id"],
        id=row["id"],
        number=row["number"],
        name=row["name"],
        model=row["model"],
        instructions=row["instructions"],
        tools=tuple(row["tools"]),
        policies=row["policies"],
        limits=row["limits"],
        mode=SendMode(row["mode"]),
        is_default=row["is_default"],
        created_at=row["created_at"],
    )


def _maybe(row: asyncpg.Record | None) -> Agent | None:
    return None if row is None else agent_of(row)
