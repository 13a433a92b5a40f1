"""Baton's API as a stubborn client uses it: every failure is repeated, at the next address if there are several."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import httpx

from baton.client.errors import Unreachable
from baton.client.schemas.base import Json

#: Shorter than what the API itself allows PostgreSQL: a repeat may overtake the attempt that it repeats.
_TIMEOUT: Final = httpx.Timeout(5.0, connect=2.0, pool=None)
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0
_LONGEST_WISH_SECONDS: Final = 10.0


class Door:
    """The API of one stack, through all the processes that serve it. ``failures`` counts what was repeated, by kind."""

    def __init__(self, urls: Sequence[str], key: str, patience_seconds: float) -> None:
        headers = {"User-Agent": "baton-verify"} | ({"Authorization": f"Bearer {key}"} if key else {})
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._clients = [
            httpx.AsyncClient(
                base_url=url,
                headers=headers,
                timeout=_TIMEOUT,
                limits=limits,
                trust_env=False,
                verify=url.startswith("https:"),
            )
            for url in urls
        ]
        self.patience_seconds = patience_seconds
        self.failures: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many addresses there are."""
        return len(self._clients)

    def client(self, nth: int) -> httpx.AsyncClient:
        """The client of an address, counted round and round."""
        return self._clients[nth % len(self._clients)]

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Json | None = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        via: int = 0,
    ) -> httpx.Response:
        """Ask until there is an answer that is neither 429 nor 5xx, beginning at address ``via``.

        So only for what may be repeated. Raises Unreachable when patience is at its end.
        """
        deadline = time.monotonic() + self.patience_seconds
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            wish_seconds = 0.0
            try:
                response = await self.client(via).request(
                    method, f"/baton/v1{path}", json=json, headers=headers, params=query
                )
            except httpx.TransportError as error:
                failure = type(error).__name__
            else:
                if response.status_code != 429 and response.status_code < 500:
                    return response
                failure = str(response.status_code)
                wish_seconds = _seconds(response.headers.get("Retry-After"))
            self.failures[failure] += 1
            wait_seconds = max(wish_seconds, pause_seconds * random.uniform(0.5, 1.0))  # noqa: S311 (no secret)
            if time.monotonic() + wait_seconds > deadline:
                raise Unreachable(f"no answer to {method} {path} in {self.patience_seconds:.0f} s; last: {failure}")
            await asyncio.sleep(wait_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            via += 1

    async def read(self, path: str, query: dict[str, str] | None = None) -> Json:
        """What is at ``path``. Raises Unreachable, and what is no success as that, too."""
        response = await self.call("GET", path, query=query)
        if not response.is_success:
            raise Unreachable(f"GET {path} was answered with {response.status_code}")
        return response.json()

    async def pages(self, path: str) -> list[Json]:
        """All items of a list."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = await self.read(path, {"limit": "200"} | ({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items


def _seconds(header: str | None) -> float:
    """`Retry-After` in seconds, within reason; 0 where there is none, or a date."""
    return min(float(header), _LONGEST_WISH_SECONDS) if header and header.isdecimal() else 0.0
