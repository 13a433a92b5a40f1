"""A TCP proxy that can be made slow while connections run through it."""

import asyncio
import time
from typing import Final

_CHUNK_BYTES: Final = 16 * 1024
_CHUNKS_IN_FLIGHT: Final = 64


class SlowProxy:
    """Passes bytes on to ``host:port``. For one event loop.

    `slow_down` holds back each piece for `latency_seconds` and lets no more than `bytes_per_second` through in each
    direction of each connection; nothing is dropped or reordered.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._latency_seconds = 0.0
        self._bytes_per_second = 0.0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Listen on the loopback; returns the port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Cut all connections."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def slow_down(self, latency_seconds: float, bytes_per_second: float) -> None:
        """Be slow from now on."""
        self._latency_seconds = latency_seconds
        self._bytes_per_second = bytes_per_second

    def speed_up(self) -> None:
        """Be fast again; what is held back comes through when it was due."""
        self._latency_seconds = self._bytes_per_second = 0.0

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        try:
            onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        except OSError:  # the server is away: whoever called is to see that
            writer.close()
            return
        pipes = [
            asyncio.ensure_future(self._pipe(reader, onward_writer)),
            asyncio.ensure_future(self._pipe(onward_reader, writer)),
        ]
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)  # a broken connection breaks the other, no more
            writer.close()
            onward_writer.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one direction up to its end, and the end, too. Raises OSError if either connection breaks."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_IN_FLIGHT)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(reader, held))
            group.create_task(_write(held, writer))

    async def _read(self, reader: asyncio.StreamReader, held: asyncio.Queue[tuple[float, bytes]]) -> None:
        free_at = 0.0
        at_end = False
        while not at_end:
            data = await reader.read(_CHUNK_BYTES)
            at_end = not data
            due = max(free_at, time.monotonic() + self._latency_seconds)
            free_at = due + (len(data) / self._bytes_per_second if self._bytes_per_second else 0.0)
            await held.put((due, data))


async def _write(held: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    while True:
        due, data = await held.get()
        await asyncio.sleep(due - time.monotonic())
        if not data:
            writer.write_eof()
            return
        writer.write(data)
        await writer.drain()
