"""The public keys of a JWT issuer, fetched from its JWKS."""

import asyncio
import time
from typing import Any, Final

import httpx
import jwt
import orjson

from baton.domain.errors import Unauthenticated, Unavailable

#: Keys are fetched again after this long, so that a withdrawn one stops counting.
_FRESH_SECONDS: Final = 300.0
#: A key that is not there yet is looked for again at most this often, so that bad tokens cost the issuer nothing.
_RETRY_SECONDS: Final = 10.0
#: Keys that could not be fetched again for so long count no more.
_KEPT_SECONDS: Final = 86_400.0
_TIMEOUT_SECONDS: Final = 5.0
_MAX_BYTES: Final = 1024 * 1024
_NEVER: Final = float("-inf")
#: What goes wrong where there is no JWKS.
_UNREADABLE: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    TimeoutError,
    ValueError,
    jwt.PyJWTError,
    AttributeError,
    TypeError,
)


class KeySet:
    """The keys at one URL, kept for a few minutes. Follows a rotation: an unknown key id is looked for once more.

    Keys that are known are fetched again behind the scenes; while the URL cannot be read they go on counting, for a
    day. Close it at the end.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._read_at = _NEVER
        self._tried_at = _NEVER
        self._fetching: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def key(self, key_id: str | None, algorithm: str) -> Any:
        """The key that a token's header names; without a name, the only one. Raises `Unauthenticated` if there is none
        for ``algorithm``, `Unavailable` while no keys could be read."""
        found = self._find(key_id)
        if found is None or time.monotonic() - self._read_at > _FRESH_SECONDS:
            fetching = self._fetch_soon()
            if found is None and fetching is not None:
                await asyncio.shield(fetching)
                found = self._find(key_id)
        if found is None:
            if time.monotonic() - self._read_at > _KEPT_SECONDS:
                raise Unavailable("the keys of the token's issuer cannot be read")
            raise Unauthenticated("the token's signing key is unknown")
        if found.algorithm_name != algorithm or found.public_key_use not in (None, "sig"):
            raise Unauthenticated("the token's signing key is not for signatures")
        return found.key

    def _find(self, key_id: str | None) -> jwt.PyJWK | None:
        if time.monotonic() - self._read_at > _KEPT_SECONDS:
            return None
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _fetch_soon(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or begins now; None so soon after the last one."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if time.monotonic() - self._tried_at <= _RETRY_SECONDS:
            return None
        self._tried_at = time.monotonic()
        self._fetching = asyncio.create_task(self._fetch(), name="fetch JWKS")
        return self._fetching

    async def _fetch(self) -> None:
        asked_at = time.monotonic()
        try:
            found = await read_keys(self._url)
        except Unavailable:
            return  # keys that were read before go on counting; with none, `key` says so
        self._keys = {key.key_id: key for key in found}
        self._read_at = asked_at


async def read_keys(url: str) -> list[jwt.PyJWK]:
    """The keys at ``url`` now. Raises `Unavailable`, with what kind of error kept them from being read."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
            document = await _read(client, url)
        return jwt.PyJWKSet.from_dict(orjson.loads(document)).keys
    except _UNREADABLE as e:
        said = f"{e.response.status_code}" if isinstance(e, httpx.HTTPStatusError) else type(e).__name__
        raise Unavailable(f"no keys can be read from BATON_JWT_JWKS_URL ({said})", "jwks_unreadable") from e


async def _read(client: httpx.AsyncClient, url: str) -> bytes:
    """What is at ``url``. Raises ValueError as soon as that is too much."""
    document = b""
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        async for chunk in response.aiter_bytes():
            document += chunk
            if len(document) > _MAX_BYTES:
                raise ValueError("the document is too large")
    return document
