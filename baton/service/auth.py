"""Who calls: opaque keys and JWTs, found good once and then known for a few seconds.

A key is text that only its holder knows; what is stored is its SHA-256. A JWT is good if its signature is, by an
algorithm that was set up (`none` never is), within its times, of which the end must be said, for a tenant that exists.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

import jwt
from cachetools import TLRUCache

from baton.domain.agents import Principal, Scope
from baton.domain.authors import KEY_PREFIX, USER_PREFIX
from baton.domain.errors import Unauthenticated, Unavailable
from baton.domain.ids import TenantId
from baton.domain.json import unstorable_text
from baton.domain.keys import digest_of
from baton.service.jwks import KeySet
from baton.service.last_uses import LastUses
from baton.settings import Settings
from baton.store import keys, tenants
from baton.store.pool import Pool, spending

#: Principals that are remembered at most: bounded, however many keys there are.
_REMEMBERED: Final = 10_000
#: Longer credentials are no key and no JWT.
_LONGEST: Final = 16_384
#: What a JWT may do that says nothing of scopes: all that the published APIs offer, nothing of keys and agents.
_DEFAULT_SCOPES: Final = frozenset({Scope.READ, Scope.SEND, Scope.WRITE})
_SCOPES: Final = frozenset(Scope)
#: Whose share of the database's connections is used to find out who calls.
_STRANGERS: Final = UUID(int=0)
#: Later than any clock here shows, and little enough to reckon with.
_FAR: Final = 2**40

SCHEMES: Final = frozenset({"bearer", "userkey"})
#: Headers that hold a key, or a JWT, and nothing else: what is looked at where there is no `Authorization`.
KEY_HEADERS: Final = ("x-asteroid-agents-api-key", "x-api-key")


@dataclass(frozen=True, slots=True)
class _Known:
    """A credential that was found good: it counts until then, and is looked up again behind the scenes before.

    ``key``: tenant and id of a key, None for a JWT. Times are the monotonic clock's.
    """

    principal: Principal
    key: tuple[TenantId, UUID] | None
    until: float
    refresh_at: float


class Authenticator:
    """Says who calls. Shared by all dialects of a process.

    A good credential is known for `principal_cache_seconds`, so that a revoked key works for as long at most; one that
    is in use is looked up again in half that time, and no request waits for it. A bad one is never remembered, so that
    a new key works at once.
    """

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._known: TLRUCache[bytes, _Known] = TLRUCache(_REMEMBERED, lambda _digest, known, _now: known.until)
        self._key_set = KeySet(settings.jwt_jwks_url) if settings.jwt_jwks_url else None
        self._uses = LastUses(pool)
        self._refreshing: dict[bytes, asyncio.Task[None]] = {}
        self._forgotten = 0

    def start(self) -> None:
        """Begin to write when keys were last used. Needs a running loop."""
        self._uses.start()

    async def close(self) -> None:
        """Stop what runs behind the scenes."""
        tasks = list(self._refreshing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._key_set is not None:
            await self._key_set.close()
        await self._uses.close()

    async def authenticate(self, token: str) -> Principal:
        """Who holds ``token``. Raises `Unauthenticated`, and `Unavailable` while that cannot be told."""
        if not token or len(token) > _LONGEST or not token.isascii():
            raise Unauthenticated("the credentials are not valid")
        digest = digest_of(token)
        known = self._known.get(digest)
        if known is None:
            spending.set(_STRANGERS)
            known = await self._look_up(token, digest)
        elif known.refresh_at <= time.monotonic() and digest not in self._refreshing:
            self._refreshing[digest] = asyncio.create_task(self._refresh(token, digest), name="look up a credential")
        if known.key is not None:
            self._uses.note(known.key)
        spending.set(known.principal.tenant_id)
        return known.principal

    def forget(self, key_id: str | None = None) -> None:
        """Look up a key's credentials again; without one, all."""
        self._forgotten += 1
        for digest in list(self._known):
            known = self._known.get(digest)
            if known is not None and key_id in (None, known.principal.key_id):
                self._known.pop(digest, None)

    async def _refresh(self, token: str, digest: bytes) -> None:
        try:
            await self._look_up(token, digest)
        except Unauthenticated:
            self._known.pop(digest, None)
        except Unavailable:
            pass  # it counts until its time is over; whoever comes then is told
        finally:
            del self._refreshing[digest]

    async def _look_up(self, token: str, digest: bytes) -> _Known:
        asked_at, forgotten = time.monotonic(), self._forgotten
        principal, key, good_seconds = await (self._by_jwt(token) if token.count(".") == 2 else self._by_key(digest))
        lasts = min(good_seconds, self._settings.principal_cache_seconds)
        known = _Known(principal, key, asked_at + lasts, asked_at + lasts / 2)
        if forgotten == self._forgotten:  # else what was read may be what was to be forgotten
            self._known[digest] = known
        return known

    async def _by_key(self, digest: bytes) -> tuple[Principal, tuple[TenantId, UUID], float]:
        async with self._pool.connection() as connection:
            key = await keys.by_digest(connection, digest)
        if key is None:
            raise Unauthenticated("the key is not valid")
        principal = Principal(
            tenant_id=key.tenant_id,
            tenant=key.tenant,
            subject=key.name or f"{KEY_PREFIX}{key.id}",
            key_id=str(key.id),
            scopes=key.scopes,
            agent_id=key.agent_id,
            agent_number=key.agent_number,
            per_minute=key.per_minute,
        )
        good_seconds = key.expires_at.timestamp() - time.time() if key.expires_at else float("inf")
        return principal, (key.tenant_id, key.id), good_seconds

    async def _by_jwt(self, token: str) -> tuple[Principal, None, float]:
        claims = await self._claims(token)
        subject, tenant = claims.get("sub"), claims.get(self._settings.jwt_tenant_claim)
        if not isinstance(subject, str) or not subject or not isinstance(tenant, str):
            raise Unauthenticated("the token has no subject or no tenant")
        if unstorable_text(tenant + subject):
            raise Unauthenticated("the token's subject or tenant cannot be stored")
        async with self._pool.connection() as connection:
            tenant_id = await tenants.by_name(connection, tenant)
        if tenant_id is None:
            raise Unauthenticated("the token's tenant is unknown")
        principal = Principal(
            tenant_id=tenant_id,
            tenant=tenant,
            subject=subject,
            key_id=_id_of(claims.get("iss"), subject),
            scopes=_scopes(claims.get(self._settings.jwt_scope_claim)),
        )
        return principal, None, min(int(claims["exp"]), _FAR) - time.time()

    async def _claims(self, token: str) -> dict[str, Any]:
        """A good JWT's claims."""
        settings = self._settings
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm == "HS256" and settings.jwt_secret is not None:
                key: Any = settings.jwt_secret.get_secret_value()
            elif algorithm in ("RS256", "ES256") and self._key_set is not None:
                key = await self._key_set.key(cast("str | None", header.get("kid")), algorithm)
            else:
                raise Unauthenticated("the token's algorithm is not accepted")
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer,
                leeway=settings.jwt_leeway_seconds,
                options={
                    "verify_aud": settings.jwt_audience is not None,
                    "require": ["exp", "sub"],
                    "enforce_minimum_key_length": True,  # RSA keys of less than 2,048 bits are refused
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthenticated("the token is not valid") from error


def _id_of(issuer: object, subject: str) -> str:
    """A JWT's issuer and subject as one name, of one length, that no other pair and no key has."""
    return f"{USER_PREFIX}{digest_of(json.dumps([issuer, subject])).hex()}"


def _scopes(claim: object) -> frozenset[Scope]:
    """The scopes that a claim names, a list or space-separated; what Baton does not know is left out."""
    if claim is None:
        return _DEFAULT_SCOPES
    names: Iterable[object] = claim.split() if isinstance(claim, str) else ()
    if isinstance(claim, list):
        names = cast("list[object]", claim)
    return frozenset(Scope(name) for name in names if isinstance(name, str) and name in _SCOPES)


def token_of(headers: Mapping[str, str]) -> str:
    """The token of a request: from `Authorization`, sent as `Bearer` or `UserKey`, else from a header of its own.

    Raises `Unauthenticated`.
    """
    authorization = headers.get("authorization")
    if not authorization:
        for name in KEY_HEADERS:
            if token := headers.get(name):
                return token.strip()
        raise Unauthenticated("credentials are missing: send `Authorization: Bearer <key>` or `X-Api-Key: <key>`")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() not in SCHEMES:
        raise Unauthenticated("credentials must be sent as `Authorization: Bearer <key>`")
    return token.strip()
