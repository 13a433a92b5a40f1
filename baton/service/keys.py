"""Make, list and revoke keys: from beside the database, by a tenant's name; and by who may do all in a tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from baton.domain.agents import Principal, Scope
from baton.domain.errors import AgentNotFound, InvalidInput, NotFound
from baton.domain.ids import AgentId, TenantId
from baton.domain.json import unstorable_text
from baton.domain.keys import Key, digest_of, new_key
from baton.domain.views import Page
from baton.service.agents import AgentReference, ensure_tenant, resolve_agent
from baton.service.auth import Authenticator
from baton.service.cursors import decode_cursor, encode_cursor
from baton.store import agents, keys, tenants
from baton.store.pool import Connection, Pool

_MOST_PER_MINUTE: Final = 1_000_000
_LONGEST: Final = timedelta(days=36_500)
_NAME_CHARACTERS: Final = 255
_TIME_AND_ID: Final = TypeAdapter(tuple[datetime, UUID])
#: What a key may do if nothing else is said.
DEFAULT_SCOPES: Final = (Scope.READ, Scope.SEND, Scope.WRITE)


class Keyring(Protocol):
    """What is needed of `baton.service.context.Baton`."""

    @property
    def pool(self) -> Pool: ...

    @property
    def authenticator(self) -> Authenticator: ...


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is to be made. ``per_minute``: requests that it may make a minute, 0 for any number, None for as many
    as any key (`BATON_REQUESTS_PER_MINUTE`). ``expires_in``: None for never."""

    scopes: Sequence[Scope] = DEFAULT_SCOPES
    name: str = ""
    expires_in: timedelta | None = None
    per_minute: int | None = None

    def check(self) -> None:
        """Raises `InvalidInput`."""
        if not self.scopes:
            raise InvalidInput("a key needs at least one scope", ("body", "scopes"))
        if self.per_minute is not None and not 0 <= self.per_minute <= _MOST_PER_MINUTE:
            message = f"requests a minute must be 0 (any number) to {_MOST_PER_MINUTE}"
            raise InvalidInput(message, ("body", "per_minute"))
        if self.expires_in is not None and not timedelta() < self.expires_in <= _LONGEST:
            message = f"a key must last longer than no time, and {_LONGEST.days} days at most"
            raise InvalidInput(message, ("body", "expires_in_seconds"))
        if len(self.name) > _NAME_CHARACTERS:
            raise InvalidInput(f"name must not be longer than {_NAME_CHARACTERS} characters", ("body", "name"))
        if reason := unstorable_text(self.name):
            raise InvalidInput(reason, ("body", "name"))


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

    ``agent_number`` binds the key to that agent of the tenant; the rest is as in `NewKey`. Raises `AgentNotFound`,
    `InvalidInput`.
    """
    new = NewKey(scopes, name, expires_in, per_minute)
    new.check()
    tenant_id = await ensure_tenant(pool, tenant_name)
    async with pool.transaction() as connection:
        agent = None if agent_number is None else await agents.by_number(connection, tenant_id, agent_number)
        if agent_number is not None and agent is None:
            raise AgentNotFound(f"the tenant {tenant_name!r} has no agent {agent_number}")
        _, text = await _insert(connection, tenant_id, new, None if agent is None else agent.id)
    return text


async def list_keys(pool: Pool, tenant_name: str) -> list[Key]:
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


async def make_key(baton: Keyring, who: Principal, new: NewKey, agent: AgentReference = None) -> tuple[Key, str]:
    """Make a key of the caller's tenant, for one ``agent`` or for any; the key, and its text, which is had this once.

    Who has a key for one agent makes keys for that agent alone. Raises `AgentNotFound`, `InvalidInput`.
    """
    new.check()
    async with baton.pool.transaction() as connection:
        agent_id = who.agent_id if agent is None else (await resolve_agent(connection, who, agent)).id
        return await _insert(connection, who.tenant_id, new, agent_id)


async def page_keys(baton: Keyring, who: Principal, *, limit: int, cursor: str | None = None) -> Page[Key]:
    """A page of the tenant's keys, oldest first; who has a key for one agent sees that agent's. Raises
    `InvalidInput`."""
    after = None if cursor is None else decode_cursor(cursor, _TIME_AND_ID)
    async with baton.pool.connection() as connection:
        found = await keys.of_tenant(connection, who.tenant_id, limit=limit + 1, after=after, agent_id=who.agent_id)
    page = tuple(found[:limit])
    return Page(page, encode_cursor(page[-1].created_at, page[-1].id) if len(found) > limit else None)


async def get_key(baton: Keyring, who: Principal, key_id: UUID) -> Key:
    """A key, without its secret. Raises `NotFound`."""
    async with baton.pool.connection() as connection:
        return await _seen(connection, who, key_id)


async def revoke(baton: Keyring, who: Principal, key_id: UUID) -> Key:
    """Revoke a key: it stops working in this process at once, in others within `principal_cache_seconds`. A repeat
    changes nothing. Raises `NotFound`."""
    async with baton.pool.transaction() as connection:
        await _seen(connection, who, key_id)
        await keys.revoke(connection, who.tenant_id, key_id)
        revoked = await _seen(connection, who, key_id)
    baton.authenticator.forget(str(key_id))
    return revoked


async def _seen(connection: Connection, who: Principal, key_id: UUID) -> Key:
    key = await keys.by_id(connection, who.tenant_id, key_id)
    if key is None or who.agent_id not in (None, key.agent_id):
        raise NotFound("there is no such key")
    return key


async def _insert(
    connection: Connection, tenant_id: TenantId, new: NewKey, agent_id: AgentId | None
) -> tuple[Key, str]:
    text, key_id = new_key(), uuid4()
    await keys.insert(
        connection,
        tenant_id,
        key_id,
        digest_of(text),
        name=new.name,
        scopes=set(new.scopes),
        agent_id=agent_id,
        per_minute=new.per_minute,
        expires_at=None if new.expires_in is None else datetime.now(UTC) + new.expires_in,
    )
    key = await keys.by_id(connection, tenant_id, key_id)
    assert key is not None
    return key, text
