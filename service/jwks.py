"""The public keys of a JWT issuer, fetched from its JWKS."""

import asyncio
import time
from typing import Any, Final

import httpx
import jwt

from domain.errors import Unauthenticated, Unavailable

#: Keys are fetched again after this long, so that a withdrawn one stops counting.
_FRESH_SECONDS: Final = 300.0
#: A key that is not there yet is looked for again at most this often, so that bad tokens cost the issuer nothing.
_RETRY_SECONDS: Final = 10.0
_TIMEOUT_SECONDS: Final = 5.0
_MAX_BYTES: Final = 1024 * 1024


class KeySet:
    """The keys at one URL, kept for a few minutes. Follows a rotation: an unknown key id is looked for once more.

    While the URL cannot be read, keys that were read before go on counting.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, key_id: str | None, algorithm: str) -> Any:
        """The key that a token's header names; without a name, the only one. Raises `Unauthenticated` if there is none
        for ``algorithm``, `Unavailable` while no keys could ever be read."""
        found = self._find(key_id)
        now = time.monotonic()
        stale = now - self._read_at > _FRESH_SECONDS
        if (found is None or stale) and now - self._tried_at > _RETRY_SECONDS:
            async with self._lock:
                if self._tried_at < now:
                    await self._fetch()
            found = self._find(key_id)
        if found is None:
            if self._read_at == float("-inf"):
                raise Unavailable("the keys of the token's issuer cannot be read")
            raise Unauthenticated("the token's key is not known")
        if found.algorithm_name != algorithm:
            raise Unauthenticated("the token's key is for another algorithm")
        return found.key

    def _find(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
                response = (await client.get(self._url)).raise_for_status()
            if len(response.content) > _MAX_BYTES:
                return
            found = jwt.PyJWKSet.from_dict(response.json()).keys
        except (httpx.HTTPError, ValueError, jwt.PyJWTError, AttributeError, TypeError):
            return  # keys that were read before go on counting; with none, `key` says so
        self._keys = {key.key_id: key for key in found}
        self._read_at = self._tried_at
