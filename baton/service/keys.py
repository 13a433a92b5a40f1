"""Keys: made, listed and revoked by who may do everything in a tenant (`baton.service.tenants.operator` may in any)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID, uuid4

from baton.domain.agents import AgentReference, Principal, Scope
from baton.domain.authors import check_key_name
from baton.domain.errors import InvalidInput
from baton.domain.ids import AgentId, TenantId
from baton.domain.keys import Key, digest_of, new_key
from baton.domain.starts import keyed
from baton.domain.texts import check_text
from baton.domain.views import Page
from baton.service.auth import Authenticator
from baton.service.cursors import TIME_AND_ID, decode_cursor, encode_cursor
from baton.service.once import once
from baton.service.visibility import find_bounds, find_key
from baton.store import keys
from baton.store.pool import Connection, Pool

_MOST_PER_MINUTE: Final = 1_000_000
_LONGEST: Final = timedelta(days=36_500)
_NAME_CHARACTERS: Final = 255
#: What a key may do if nothing else is said.
DEFAULT_SCOPES: Final = (Scope.READ, Scope.SEND, Scope.WRITE)


class Keyring(Protocol):
    """What is needed of `baton.service.context.Baton`."""

    @property
    def pool(self) -> Pool: ...

    @property
    def authenticator(self) -> Authenticator | None: ...


@dataclass(frozen=True, slots=True)
class Beside:
    """What whoever runs Baton has of it beside the database: no caller is remembered there."""

    pool: Pool
    authenticator: None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is to be made. ``per_minute``: requests that it may make a minute, 0 for any number, None for as many
    as any key (`BATON_REQUESTS_PER_MINUTE`). ``expires_in``: None for never. Raises `InvalidInput`."""

    scopes: Sequence[Scope] = DEFAULT_SCOPES
    name: str = ""
    expires_in: timedelta | None = None
    per_minute: int | None = None

    def __post_init__(self) -> None:
        if not self.scopes:
            raise InvalidInput("a key needs at least one scope", ("body", "scopes"))
        if self.per_minute is not None and not 0 <= self.per_minute <= _MOST_PER_MINUTE:
            message = f"requests a minute must be 0 (any number) to {_MOST_PER_MINUTE}"
            raise InvalidInput(message, ("body", "per_minute"))
        if self.expires_in is not None and not timedelta() < self.expires_in <= _LONGEST:
            message = f"a key must last longer than no time, and {_LONGEST.days} days at most"
            raise InvalidInput(message, ("body", "expires_in_seconds"))
        check_text(self.name, "name", longest=_NAME_CHARACTERS, may_be_empty=True)
        check_key_name(self.name)


async def create_key(baton: Keyring, who: Principal, new: NewKey, agent: AgentReference = None) -> tuple[Key, str]:
    """Make a key of the caller's tenant, for one ``agent`` or for any; the key, and its text, which is had this once.

    Who has a key for one agent makes keys for that agent alone. Raises `AgentNotFound`, `InvalidInput`.
    """
    async with baton.pool.transaction() as connection:
        agent_id = (await find_bounds(connection, who, agent)).agent_id
        return await _insert(connection, who.tenant_id, uuid4(), new, agent_id)


async def create_key_once(
    baton: Keyring, who: Principal, new: NewKey, agent: AgentReference, idempotency_key: str
) -> tuple[Key, str | None]:
    """Make a key like `create_key`, or find the one that was made under the same Idempotency-Key.

    That one comes as it is now, and without its text: nobody has it but who was told then. Whoever was not revokes the
    key and makes another. Raises `KeyReused`, too.
    """
    asked = {"name": new.name, "scopes": sorted(set(new.scopes)), "per_minute": new.per_minute}
    asked |= {"seconds": new.expires_in and new.expires_in.total_seconds()}
    new_id = uuid4()

    async def make(connection: Connection) -> tuple[Key, str | None]:
        agent_id = (await find_bounds(connection, who, agent)).agent_id
        return await _insert(connection, who.tenant_id, new_id, new, agent_id)

    async def again(connection: Connection, made_id: UUID) -> tuple[Key, str | None]:
        return await find_key(connection, who, made_id), None

    return await once(baton.pool, keyed(who, idempotency_key, "key", asked, agent), new_id, make, again)


async def list_keys(
    baton: Keyring, who: Principal, *, limit: int | None = None, cursor: str | None = None
) -> Page[Key]:
    """A page of the tenant's keys, oldest first, revoked ones too; all of them without a ``limit``.

    Who has a key for one agent sees that agent's. Raises `InvalidInput`.
    """
    after = None if cursor is None else decode_cursor(cursor, TIME_AND_ID)
    async with baton.pool.connection() as connection:
        more = None if limit is None else limit + 1
        found = await keys.page(connection, who.bounds, limit=more, after=after)
    page = tuple(found[:limit])
    return Page(page, encode_cursor(page[-1].created_at, page[-1].id) if len(found) > len(page) else None)


async def get_key(baton: Keyring, who: Principal, key_id: UUID) -> Key:
    """A key, without its secret. Raises `NotFound`."""
    async with baton.pool.connection() as connection:
        return await find_key(connection, who, key_id)


async def revoke_key(baton: Keyring, who: Principal, key_id: UUID) -> Key:
    """Revoke a key: it stops working in this process at once, in others within `principal_cache_seconds`. A repeat
    changes nothing. Raises `NotFound`."""
    async with baton.pool.transaction() as connection:
        key = await find_key(connection, who, key_id)
        await keys.revoke(connection, key.tenant_id, key.id)
        revoked = await find_key(connection, who, key_id)
    if baton.authenticator is not None:
        baton.authenticator.forget(str(key.id))
    return revoked


async def _insert(
    connection: Connection, tenant_id: TenantId, key_id: UUID, new: NewKey, agent_id: AgentId | None
) -> tuple[Key, str]:
    text = new_key()
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
