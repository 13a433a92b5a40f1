"""How many streams are open in this process: each key has a limit, and each tenant its share."""

from baton.domain.agents import Principal
from baton.domain.errors import RateLimited
from baton.domain.quota import UNLIMITED
from baton.metrics.series import LIMITED
from baton.runtime.shares import Shares
from baton.settings import Settings

_RETRY_SECONDS = 5


class Streams:
    """Counts open streams. A key without a limit of requests has none of streams either, but for the process's own."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.max_streams
        self._per_key = settings.streams_per_key
        self._shares = Shares(self._most, per_part=self._per_key or None)

    @property
    def taken(self) -> int:
        """How many are open."""
        return self._shares.taken

    def open(self, who: Principal) -> None:
        """Count a stream, until it is `closed`. Raises `RateLimited`."""
        if self._shares.take(*_share(who)):
            return
        if self._per_key and self._shares.held(*_share(who)) >= self._per_key:
            message = f"too many open streams: this key may have {self._per_key} at once"
        else:
            message = "too many open streams: the tenant has used its share"
        LIMITED.labels("streams").inc()
        raise RateLimited(message, _RETRY_SECONDS)

    def closed(self, who: Principal) -> None:
        """A stream has ended."""
        self._shares.back(*_share(who))


def _share(who: Principal) -> tuple[object, object]:
    return (None, None) if who.per_minute == UNLIMITED else (who.tenant_id, who.key_id)
