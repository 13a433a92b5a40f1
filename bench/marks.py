"""When activities began and ended, told by the workers to the load generator: one datagram per turn, one clock for all.

The clock is CLOCK_MONOTONIC, which all processes of a machine share. Both workers are hooked in the same way, so that
what the hook costs is on both sides.
"""

import asyncio
import os
import socket
import time
from collections import defaultdict
from contextvars import ContextVar
from typing import Any, Final

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

#: Where the load generator listens, as `host:port`.
VARIABLE: Final = "BATON_BENCH_MARKS"

BEGUN: Final = "begun"  #: the first line of the activity
MODEL: Final = "model"  #: the model is called
ENDED: Final = "ended"  #: the activity is about to return, everything it writes is committed


_times: ContextVar[dict[str, int] | None] = ContextVar("times", default=None)


def mark(what: str) -> None:
    """Note that ``what`` has happened now in the activity that calls this."""
    times = _times.get()
    if times is not None:
        times[what] = time.monotonic_ns()


class MarkActivities(Interceptor):
    """Marks the beginning and the end of every activity that takes a turn, and tells the load generator."""

    def __init__(self) -> None:
        host, _, port = os.environ[VARIABLE].partition(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, int(port)))

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the marks around an activity."""
        return _Marked(next, self._socket)


class _Marked(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, to: socket.socket) -> None:
        super().__init__(next)
        self._to = to

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if info.activity_type not in ("model_step", "bare_turn"):
            return await super().execute_activity(input)
        times: dict[str, int] = {}
        _times.set(times)
        mark(BEGUN)
        result = await super().execute_activity(input)
        mark(ENDED)
        self._to.send(" ".join((str(info.workflow_id), *(f"{what}={at}" for what, at in times.items()))).encode())
        return result


class Marks:
    """What the workers have told, at the end of each activity. Counts everything, and wakes who waits for something."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._waiting: dict[tuple[str, str], asyncio.Future[float]] = {}
        self.counts: defaultdict[str, int] = defaultdict(int)

    @property
    def address(self) -> str:
        """What `VARIABLE` is to be for the workers."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def listen(self) -> None:
        """Begin to listen, in the running loop."""
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def next(self, what: str, workflow_id: str) -> asyncio.Future[float]:
        """The time, in seconds of `time.monotonic`, at which ``what`` happens next in that workflow's activity."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[what, workflow_id] = future
        return future

    def _read(self) -> None:
        while True:
            try:
                workflow_id, *told = self._socket.recv(512).decode().split(" ")
            except BlockingIOError:
                return
            for what, at in (one.split("=") for one in told):
                self.counts[what] += 1
                future = self._waiting.pop((what, workflow_id), None)
                if future is not None and not future.done():
                    future.set_result(int(at) / 1e9)
