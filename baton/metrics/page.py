"""The page that Prometheus reads: a process's own series, and those of the Temporal SDK's core."""

import asyncio
import logging
import time
from importlib.metadata import version
from typing import Final

import httpx
from prometheus_client import REGISTRY, disable_created_metrics, generate_latest

from baton.metrics.series import BUILD
from baton.runtime.pages import StatusPage

_log = logging.getLogger(__name__)

#: Prometheus' text format.
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
#: A page is shown again for so long: whoever asks more often costs nothing.
_KEPT_SECONDS: Final = 1.0
_CORE_SECONDS: Final = 2.0

disable_created_metrics()


class MetricsPage:
    """Makes the page. ``core_url``: where the SDK's core shows its own, None where it does not."""

    def __init__(self, core_url: str | None) -> None:
        BUILD.info({"version": version("baton")})
        self._core_url = core_url
        self._made = b"", float("-inf")
        self._making = asyncio.Lock()

    async def __call__(self, _: str = "") -> StatusPage:
        """The page, at most a second old. Without the core's part where that does not answer."""
        async with self._making:
            if time.monotonic() - self._made[1] > _KEPT_SECONDS:
                ours, cores = await asyncio.gather(asyncio.to_thread(generate_latest, REGISTRY), self._core())
                self._made = ours + cores, time.monotonic()
            return StatusPage(self._made[0], _TEXT)

    async def _core(self) -> bytes:
        if self._core_url is None:
            return b""
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=_CORE_SECONDS) as client:
                return (await client.get(self._core_url)).raise_for_status().content
        except httpx.HTTPError as error:
            _log.warning("the Temporal SDK's metrics cannot be read: %s", type(error).__name__)
            return b""
