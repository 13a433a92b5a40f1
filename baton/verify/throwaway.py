"""A stack of our own: `baton dev` in a directory that is thrown away."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from baton.localstack.part import Part, start
from baton.localstack.supervisor import Supervisor
from baton.localstack.temporal import TemporalServer
from baton.localstack.temporal_binary import ensure_temporal
from baton.runtime.installation import baton_command
from baton.verify.proxy import SlowProxy
from baton.verify.target import InDirectory, Target, running_in

#: The first time ever, a Temporal server may have to be built.
_UP_SECONDS = 1200.0


@dataclass(frozen=True, slots=True)
class _WithTemporal:
    """`baton dev`, and a Temporal server beside it."""

    stack: InDirectory
    supervisor: Supervisor

    def pid(self, part: str) -> int | None:
        """See `baton.verify.target.Processes`."""
        return self.supervisor.pids["temporal"] if part == "temporal" else self.stack.pid(part)


@asynccontextmanager
async def throwaway_stack(directory: Path, say: Callable[[str], None], *, proxied: bool) -> AsyncGenerator[Target]:
    """Start a stack in ``directory``, stop it at the end. ``proxied``: with a proxy before Temporal.

    Raises PartFailed if it does not come up.
    """
    if not proxied:
        async with _dev(directory, {}) as target:
            yield target
        return
    supervisor = Supervisor(say, lambda: None)
    server = TemporalServer(await ensure_temporal(say), directory / "temporal.db", directory / "temporal.log")
    host, _, port = server.address.rpartition(":")
    proxy = SlowProxy(host, int(port))
    try:
        await supervisor.start(server.part())
        address = f"127.0.0.1:{await proxy.start()}"
        through_it = {
            "TEMPORAL_ADDRESS": address,
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        async with _dev(directory, through_it) as target:
            processes = target.processes
            assert isinstance(processes, InDirectory)
            yield Target(target.urls, target.key, _WithTemporal(processes, supervisor), proxy)
    finally:
        await proxy.close()
        await supervisor.stop(["temporal"])
        server.release_ports()


@asynccontextmanager
async def _dev(directory: Path, more: dict[str, str]) -> AsyncGenerator[Target]:
    data = directory / "stack"
    # Temporal's own variables name a server that is not ours to break; the note of a `baton dev` that runs stays.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    environment |= {"XDG_STATE_HOME": str(directory / "state")} | more

    async def is_up(_pid: int) -> bool:
        return (data / "stack.json").exists()

    running = await start(
        Part(
            name="baton dev",
            command=baton_command("dev", "--json", "--no-demo", "--port", "0", "--data", str(data)),
            log=directory / "dev.log",
            is_up=is_up,
            environment=environment,
            kill_signal=SIGTERM,
            stop_seconds=60.0,
            up_seconds=_UP_SECONDS,
        )
    )
    try:
        yield running_in(data)
    finally:
        await running.stop()
