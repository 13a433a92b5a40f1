"""The local Temporal server: one process with its UI, its state in an SQLite file."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from temporalio.client import Client

from baton.localstack.part import Part
from baton.localstack.ports import hold_port, listens

_HOST = "127.0.0.1"

#: With eager activities a turn's step goes to the worker in the answer to its workflow task: several times the turns a
#: second. With fairness what waits is taken from the tenants in turn, not in the order in which it came.
#: deploy/README.md has the same flags for any server.
DYNAMIC_CONFIGURATION = {
    "system.enableActivityEagerExecution": "true",
    "matching.useNewMatcher": "true",
    "matching.enableFairness": "true",
}

#: Survives a killed process. What a power cut takes is rung again: PostgreSQL is the truth.
_PRAGMAS = {"journal_mode": "wal", "synchronous": "normal"}


class TemporalServer:
    """A dev server. Its ports are chosen when this is made, held from then on, and stay the same over restarts."""

    def __init__(self, program: Path, database: Path, log: Path, dynamic: Mapping[str, str] | None = None) -> None:
        """``dynamic``: more dynamic configuration, values as JSON."""
        self._program = program
        self._database = database
        self._log = log
        self._dynamic = {**DYNAMIC_CONFIGURATION, **(dynamic or {})}
        self._port = hold_port(7233)
        self._ui_port = hold_port(8233)
        self._metrics_port = hold_port(0)
        self._http_port = hold_port(0)

    @property
    def address(self) -> str:
        """host:port of its gRPC service."""
        return f"{_HOST}:{self._port.number}"

    @property
    def ui_url(self) -> str:
        """Where its web page is."""
        return f"http://{_HOST}:{self._ui_port.number}"

    def part(self) -> Part:
        """The server as a part of a stack."""
        return Part(
            name="temporal",
            command=[
                *(str(self._program), "server", "start-dev"),
                *("--ip", _HOST, "--port", str(self._port.number), "--ui-port", str(self._ui_port.number)),
                *("--http-port", str(self._http_port.number), "--metrics-port", str(self._metrics_port.number)),
                *("--db-filename", str(self._database)),
                *(f for name, value in self._dynamic.items() for f in ("--dynamic-config-value", f"{name}={value}")),
                *(f for name, value in _PRAGMAS.items() for f in ("--sqlite-pragma", f"{name}={value}")),
                *("--log-level", "warn", "--log-format", "json", "--disable-config-env", "--disable-config-file"),
            ],
            log=self._log,
            is_up=self._is_up,
            stop_seconds=5.0,
        )

    def release_ports(self) -> None:
        """Let others choose its ports: it runs no more."""
        for port in (self._port, self._ui_port, self._metrics_port, self._http_port):
            port.release()

    async def _is_up(self, pid: int) -> bool:
        if not listens(pid, self._port.number):  # somebody else's server may have the port
            return False
        # Its port is open some time before it serves.
        try:
            async with asyncio.timeout(2):
                await Client.connect(self.address)
        except (RuntimeError, TimeoutError):  # what the SDK raises where it cannot connect
            return False
        return True
