"""What each request's answer took, counted by dialect and status."""

from functools import cache
from time import perf_counter

from prometheus_client import Histogram
from starlette.types import Message, Send

from baton.metrics.series import REQUESTS


def begin(dialect: str) -> None:
    """Have a dialect's failures begin at 0: Prometheus sees no increase where a series begins with its first event."""
    for status in (500, 503):
        _series(dialect, status)


def measured(dialect: str, send: Send) -> Send:
    """``send``, which measures from now to the answer's headers."""
    began = perf_counter()

    async def measure(message: Message) -> None:
        if message["type"] == "http.response.start":
            _series(dialect, message["status"]).observe(perf_counter() - began)
        await send(message)

    return measure


@cache
def _series(dialect: str, status: int) -> Histogram:
    return REQUESTS.labels(dialect, status)
