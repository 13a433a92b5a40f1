"""Are keys found while they count, and never later?"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from baton.domain.agents import Agent, Scope
from baton.domain.errors import AgentNotFound, Conflict, InvalidInput, NotFound
from baton.domain.ids import whole_tenant
from baton.domain.keys import digest_of
from baton.service.tenants import default_agent, ensure_tenant
from baton.store import agents, keys, tenants
from tests.store.world import World
from tests.support.keys import create_key, list_keys, revoke_key


async def insert(world: World, **more: Any) -> bytes:
    """A key of the world's tenant; its digest."""
    digest = digest_of(str(uuid4()))
    given: dict[str, Any] = {
        "name": "n",
        "scopes": [Scope.SEND],
        "agent_id": None,
        "per_minute": None,
        "expires_at": None,
    }
    async with world.pool.connection() as connection:
        await keys.insert(connection, world.tenant, uuid4(), digest, **(given | more))
    return digest


async def test_a_key_is_found_by_its_digest(world: World) -> None:
    later = datetime.now(UTC) + timedelta(minutes=1)
    digest = await insert(
        world, agent_id=world.agent.id, scopes=[Scope.READ, Scope.SEND], per_minute=100, expires_at=later
    )
    async with world.pool.connection() as connection:
        key = await keys.by_digest(connection, digest)
        assert key is not None
        assert (key.tenant_id, key.agent_id, key.per_minute, key.expires_at) == (
            world.tenant,
            world.agent.id,
            100,
            later,
        )
        assert key.scopes == {Scope.READ, Scope.SEND}
        assert await keys.by_digest(connection, digest_of("another")) is None


async def test_use_is_noted_but_rarely_written(world: World) -> None:
    used, unused = await insert(world), await insert(world)
    async with world.pool.connection() as connection:
        key = await keys.by_digest(connection, used)
        assert key is not None
        assert key.last_used_at is None
        await keys.note_uses(connection, {(world.tenant, key.id), (uuid4(), key.id)})
        first = await keys.by_digest(connection, used)
        assert first is not None
        assert first.last_used_at is not None
        await keys.note_uses(connection, {(world.tenant, key.id)})
        assert await keys.by_digest(connection, used) == first
        other = await keys.by_digest(connection, unused)
        assert other is not None
        assert other.last_used_at is None


async def test_an_expired_or_revoked_key_does_not_count(world: World) -> None:
    expired = await insert(world, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    revoked = await insert(world)
    async with world.pool.connection() as connection:
        (key_id,) = [
            key.id for key in await keys.page(connection, whole_tenant(world.tenant)) if key.expires_at is None
        ]
        assert await keys.revoke(connection, world.tenant, key_id)
        assert await keys.revoke(connection, world.tenant, key_id)
        assert not await keys.revoke(connection, uuid4(), key_id)
        assert await keys.by_digest(connection, expired) is None
        assert await keys.by_digest(connection, revoked) is None


async def test_a_tenant_is_made_with_an_agent_and_once(world: World) -> None:
    name = f"tenant-{uuid4()}"
    made = await ensure_tenant(world.pool, name)
    assert await ensure_tenant(world.pool, name) == made
    agent = await default_agent(world.pool, name)
    assert (agent.tenant_id, agent.name, agent.model, agent.is_default) == (made, "assistant", "scripted", True)
    assert (await default_agent(world.pool, name)).id == agent.id
    async with world.pool.connection() as connection:
        assert await tenants.by_name(connection, "nobody") is None
        for found in (
            await agents.by_id(connection, made, agent.id),
            await agents.by_number(connection, made, agent.number),
            await agents.by_name(connection, made, "assistant"),
        ):
            assert found == agent
        assert await agents.by_id(connection, world.tenant, agent.id) is None
        assert await agents.by_number(connection, world.tenant, agent.number) is None


async def test_a_name_that_is_taken_is_not_made_the_default(world: World) -> None:
    tenant = uuid4()
    async with world.pool.connection() as connection:
        tenant = await tenants.ensure(connection, f"tenant-{tenant}")
        await agents.insert(connection, Agent(tenant, uuid4(), 0, "assistant", "scripted"))
        with pytest.raises(LookupError):
            await agents.ensure_default(connection, tenant, "assistant", "scripted")
        with pytest.raises(Conflict):
            await agents.insert(connection, Agent(tenant, uuid4(), 0, "assistant", "scripted"))


async def test_keys_are_made_listed_and_revoked(world: World) -> None:
    tenant = f"tenant-{uuid4()}"
    text = await create_key(world.pool, tenant, [Scope.READ], name="ci", expires_in=timedelta(days=1), per_minute=10)
    assert text.startswith("baton_")
    assert len(text) == 6 + 43
    (key,) = await list_keys(world.pool, tenant)
    assert (key.name, key.scopes, key.per_minute) == ("ci", {Scope.READ}, 10)
    await revoke_key(world.pool, tenant, key.id)
    (key,) = await list_keys(world.pool, tenant)
    assert key.revoked_at is not None
    with pytest.raises(NotFound):
        await revoke_key(world.pool, "nobody", key.id)
    with pytest.raises(NotFound):
        await list_keys(world.pool, "nobody")


@pytest.mark.parametrize(
    "given",
    [
        {"scopes": []},
        {"per_minute": -1},
        {"per_minute": 2**40},
        {"expires_in": timedelta(0)},
        {"name": "a\x00"},
        {"tenant_name": " "},
        {"tenant_name": "a\x00"},
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(world: World, given: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"tenant_name": f"tenant-{uuid4()}"} | given
    with pytest.raises(InvalidInput):
        await create_key(world.pool, **arguments)


async def test_a_key_for_an_agent_that_is_not_there(world: World) -> None:
    with pytest.raises(AgentNotFound):
        await create_key(world.pool, f"tenant-{uuid4()}", agent_number=2**40)
