"""Who calls: opaque keys and JWTs, found good once and then known for a few seconds.

A key is text that only its holder knows; what is stored is its SHA-256. A JWT is good if its signature is, by an
algorithm that was set up (`none` never is), within its times, for a tenant that exists.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import jwt

from domain.agents import Principal, Scope
from domain.errors import Unauthenticated
from domain.json import unstorable_text
from domain.keys import digest_of
from service.jwks import KeySet
from settings import Settings
from store import keys, tenants
from store.pool import Pool

#: Principals that are remembered at most: bounded, however many keys there are.
_REMEMBERED: Final = 10_000
#: Longer credentials are no key and no JWT.
_LONGEST: Final = 16_384
#: What a JWT may do that says nothing of scopes: all that the published APIs offer, nothing of keys and agents.
_DEFAULT_SCOPES: Final = frozenset({Scope.READ, Scope.SEND, Scope.WRITE})
_SCOPES: Final = frozenset(Scope)

SCHEMES: Final = frozenset({"bearer", "userkey"})
#: Headers that hold a key, or a JWT, and nothing else: what is looked at where there is no `Authorization`.
KEY_HEADERS: Final = ("x-asteroid-agents-api-key", "x-api-key")


class Authenticator:
    """Says who calls. Shared by all dialects of a process.

    A good credential is not looked up again for `principal_cache_seconds`, so that a revoked key works for as long at
    most; a bad one is never remembered, so that a new key works at once.
    """

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._key_set = KeySet(settings.jwt_jwks_url) if settings.jwt_jwks_url else None

    async def authenticate(self, token: str) -> Principal:
        """Who holds ``token``. Raises `Unauthenticated`, and `Unavailable` while that cannot be told."""
        if not token or len(token) > _LONGEST or not token.isascii():
            raise Unauthenticated("the credentials are not valid")
        digest = digest_of(token)
        now = time.monotonic()
        known = self._known.get(digest)
        if known is not None and known[1] > now:
            return known[0]
        principal, good_seconds = await (self._by_jwt(token) if token.count(".") == 2 else self._by_key(digest))
        self._remember(digest, principal, now + min(good_seconds, self._settings.principal_cache_seconds))
        return principal

    def forget(self, key_id: str | None = None) -> None:
        """Look up a key's credentials again; without one, all."""
        for digest in [d for d, (who, _) in self._known.items() if key_id in (None, who.key_id)]:
            del self._known[digest]

    def _remember(self, digest: bytes, principal: Principal, until: float) -> None:
        self._known[digest] = (principal, until)
        self._known.move_to_end(digest)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _by_key(self, digest: bytes) -> tuple[Principal, float]:
        async with self._pool.connection() as connection:
            key = await keys.by_digest(connection, digest)
        if key is None:
            raise Unauthenticated("the key is not valid")
        principal = Principal(
            tenant_id=key.tenant_id,
            tenant=key.tenant,
            subject=key.name or f"key:{key.id}",
            key_id=str(key.id),
            scopes=key.scopes,
            agent_id=key.agent_id,
            agent_number=key.agent_number,
            per_minute=key.per_minute,
        )
        return principal, key.expires_at.timestamp() - time.time() if key.expires_at else float("inf")

    async def _by_jwt(self, token: str) -> tuple[Principal, float]:
        claims = await self._claims(token)
        subject, tenant = claims.get("sub"), claims.get(self._settings.jwt_tenant_claim)
        if (
            not isinstance(subject, str)
            or not subject
            or not isinstance(tenant, str)
            or unstorable_text(tenant + subject)
        ):
            raise Unauthenticated("the token names no subject or no tenant")
        async with self._pool.connection() as connection:
            tenant_id = await tenants.by_name(connection, tenant)
        if tenant_id is None:
            raise Unauthenticated("the token's tenant is not known")
        principal = Principal(
            tenant_id=tenant_id,
            tenant=tenant,
            subject=subject,
            key_id=_id_of(claims.get("iss"), subject),
            scopes=_scopes(claims.get(self._settings.jwt_scope_claim)),
        )
        expires = claims.get("exp")
        return principal, float(expires) - time.time() if isinstance(expires, int | float) else float("inf")

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
                options={"verify_aud": settings.jwt_audience is not None},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthenticated("the token is not valid") from error


def _id_of(issuer: object, subject: str) -> str:
    """A JWT's issuer and subject as one name, of one length, that no other pair and no key has."""
    return f"jwt:{digest_of(json.dumps([issuer, subject])).hex()}"


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
