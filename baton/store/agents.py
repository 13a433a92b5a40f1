"""Agents, by each of the names that callers have for them."""

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import asyncpg

from baton.domain.agents import Agent
from baton.domain.errors import Conflict
from baton.domain.ids import AgentId, Bounds, TenantId
from baton.domain.json import JsonObject
from baton.domain.states import SendMode
from baton.store.pages import CutPage, fetch_page
from baton.store.pool import Connection
from baton.store.queries import execute, fetch, fetchrow, fetchval, within

_NAME_TAKEN: Final = "agents_name_unique"


async def insert(connection: Connection, agent: Agent) -> Agent:
    """Store an agent; its number is given here. Raises `Conflict` for a name that is taken."""
    return await _write("insert_agent", connection, agent)


async def lock_all(connection: Connection, tenant_id: TenantId) -> None:
    """Lock all agents of a tenant until the transaction ends: of two that move the default, the second waits."""
    await fetch(connection, "lock_agents", tenant=tenant_id)


async def unset_default(connection: Connection, tenant_id: TenantId) -> None:
    """Leave the tenant, whose agents are locked, without a default one until one is written that is."""
    await execute(connection, "unset_default_agent", tenant=tenant_id)


async def ensure_default(
    connection: Connection,
    tenant_id: TenantId,
    name: str,
    model: str,
    tools: Sequence[str] = (),
    policies: JsonObject | None = None,
) -> Agent:
    """The tenant's default agent; made with this name, model, tools and policies if it has none. Raises LookupError
    if the name is another agent's: that one is not made the default behind its owner's back."""
    await execute(
        connection,
        "insert_default_agent",
        tenant=tenant_id,
        agent=uuid4(),
        name=name,
        model=model,
        tools=list(tools),
        policies=policies or {},
    )
    agent = await default(connection, tenant_id)
    if agent is None:
        raise LookupError(f"the tenant has an agent {name!r}, but none that is the default")
    return agent


async def by_id(connection: Connection, tenant_id: TenantId, agent_id: AgentId) -> Agent | None:
    """An agent by its uuid."""
    return _maybe(await fetchrow(connection, "agent_by_id", tenant=tenant_id, agent=agent_id))


async def by_number(connection: Connection, tenant_id: TenantId, number: int) -> Agent | None:
    """An agent by its integer, which must fit 64 bits."""
    return _maybe(await fetchrow(connection, "agent_by_number", tenant=tenant_id, number=number))


async def by_name(connection: Connection, tenant_id: TenantId, name: str) -> Agent | None:
    """An agent by its name, exactly."""
    return _maybe(await fetchrow(connection, "agent_by_name", tenant=tenant_id, name=name))


async def among(
    connection: Connection, bounds: Bounds, *, ids: Sequence[AgentId], numbers: Sequence[int], names: Sequence[str]
) -> list[Agent]:
    """The agents that have one of these ids, integers (which must fit 64 bits) or names."""
    rows = await fetch(
        connection, "agents_among", **within(bounds), ids=list(ids), numbers=list(numbers), names=list(names)
    )
    return [agent_of(row) for row in rows]


async def names(connection: Connection, bounds: Bounds, *, limit: int) -> list[str]:
    """The names of agents, those of the oldest first."""
    return [row["name"] for row in await fetch(connection, "agent_names", **within(bounds), limit=limit)]


async def default(connection: Connection, tenant_id: TenantId) -> Agent | None:
    """The agent of calls that name none."""
    return _maybe(await fetchrow(connection, "default_agent", tenant=tenant_id))


async def page(
    connection: Connection,
    bounds: Bounds,
    *,
    limit: int,
    after: int | None = None,
) -> CutPage[Agent]:
    """Agents, oldest first. ``after``: the number at which a page ended."""
    rows = await fetch_page(connection, "list_agents", **within(bounds), after=after, limit=limit)
    return rows.each(agent_of)


async def search(
    connection: Connection, bounds: Bounds, *, limit: int, most_bytes: int, offset: int = 0, text: str | None = None
) -> CutPage[Agent]:
    """Agents, oldest first; with ``text`` only those whose names hold it, in any case."""
    rows = await fetch_page(
        connection,
        "search_agents",
        **within(bounds),
        search=text,
        limit=limit,
        most_bytes=most_bytes,
        offset=offset,
    )
    return rows.each(agent_of)


async def count(connection: Connection, bounds: Bounds, *, text: str | None = None) -> int:
    """How many agents `search` would give in all."""
    return await fetchval(connection, "count_agents", **within(bounds), search=text)


async def lock(connection: Connection, tenant_id: TenantId, agent_id: AgentId) -> Agent | None:
    """An agent, locked until the transaction ends."""
    return _maybe(await fetchrow(connection, "lock_agent", tenant=tenant_id, agent=agent_id))


async def update(connection: Connection, agent: Agent) -> Agent:
    """Write a locked agent; its version counts one more. Raises `Conflict` for a name that is taken."""
    return await _write("update_agent", connection, agent)


async def _write(statement: str, connection: Connection, agent: Agent) -> Agent:
    try:
        row = await fetchrow(
            connection,
            statement,
            tenant=agent.tenant_id,
            agent=agent.id,
            name=agent.name,
            model=agent.model,
            instructions=agent.instructions,
            tools=list(agent.tools),
            policies=agent.policies,
            limits=agent.limits,
            model_settings=agent.model_settings,
            fallbacks=list(agent.fallbacks),
            result_schema=agent.result_schema,
            mode=agent.mode,
            is_default=agent.is_default,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _NAME_TAKEN:
            raise
        raise Conflict(f"an agent named {agent.name!r} already exists", "name_taken") from error
    assert row is not None
    return agent_of(row)


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
        model_settings=row["model_settings"],
        fallbacks=tuple(row["fallbacks"]),
        result_schema=row["result_schema"],
        mode=SendMode(row["mode"]),
        is_default=row["is_default"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _maybe(row: asyncpg.Record | None) -> Agent | None:
    return None if row is None else agent_of(row)
