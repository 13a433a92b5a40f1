"""`baton api`: the API's process."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Generator
from typing import Final, Protocol

import uvicorn
import uvloop

from api.app import create_app
from api.connection import server_config
from baton.domain.errors import Unavailable
from baton.domain.faults import exit_code
from baton.runtime.files import raise_file_limit
from baton.runtime.garbage import freeze_start
from baton.runtime.logging import configure
from baton.service.context import check_start
from baton.settings import Settings

#: Open files but those of clients and of the database pool: logs, Temporal, notifications, Redis, libraries.
_OTHER_FILES: Final = 64
#: Connections that are tried to be served whatever the limit says.
_FEWEST: Final = 10
_log = logging.getLogger(__name__)


class _Stoppable(Protocol):
    """What the API's app has in `app.state`: it is to be given no more work, its streams end."""

    draining: asyncio.Event
    stopping: asyncio.Event


class _Server(uvicorn.Server):
    """Serves on for a while when it is told to stop, then ends its streams, and its process with code 0 instead of by
    the signal.

    Whoever sends it requests, a load balancer say, has to notice first that it is not ready any more. A stream ends
    only when its reader goes away or we say so; without that every stop would take its full time limit.
    """

    def __init__(self, config: uvicorn.Config, app: _Stoppable, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        freeze_start()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, number)
        yield

    def _told_to_stop(self, number: signal.Signals) -> None:
        again = self._app.draining.is_set()
        self._app.draining.set()
        self.force_exit = again
        if again or number == signal.SIGINT:  # a person waits
            self._stop()
        else:
            asyncio.get_running_loop().call_later(self._drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True
        self._app.stopping.set()


def within_files(files: int, settings: Settings) -> Settings:
    """The settings, with as many connections and streams as ``files`` open ones allow. Logs where those are fewer."""
    room = files - settings.pool_max_size - _OTHER_FILES
    if room >= settings.max_connections:
        return settings
    room = max(room, _FEWEST)
    streams = min(settings.max_streams, room * 4 // 5)
    _log.warning(
        "the process may have %d files open, too few for BATON_MAX_CONNECTIONS=%d: it takes %d connections, %d streams",
        files,
        settings.max_connections,
        room,
        streams,
    )
    return settings.model_copy(update={"max_connections": room, "max_streams": streams})


def serve(settings: Settings, listener: socket.socket) -> int:
    """Serve on ``listener`` until SIGTERM or SIGINT, on SIGTERM for `drain_seconds` more; then finish what was begun,
    `shutdown_seconds` at most. A second signal ends it.

    Returns the exit code, that of what kept it from starting, which is logged in a line.
    """
    configure(settings.log_level, form=settings.log_format)
    settings = within_files(raise_file_limit(), settings)
    try:  # uvicorn would say so with a traceback
        uvloop.run(check_start(settings))
    except Unavailable as error:
        _log.error("the API cannot start: %s", error)
        return exit_code(error.fault)
    app = create_app(settings)
    config = server_config(
        app,
        loop="uvloop",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=round(settings.shutdown_seconds),
    )
    try:
        _Server(config, app.state, settings.drain_seconds).run(sockets=[listener])  # pyright: ignore[reportArgumentType]
    except SystemExit as ended:  # how uvicorn says that the app did not start; it has logged why
        return ended.code if isinstance(ended.code, int) else 1
    return 0
