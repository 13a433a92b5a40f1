"""`baton dev` as a real process, for tests that need everything, and that break it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import psutil

from baton.localstack.spawn import LAUNCHER, tail
from tests.support.environment import without_settings

PARTS: Final = ("api", "worker", "temporal", "postgres")
_ROOT: Final = Path(__file__).resolve().parents[2]
_UP_SECONDS: Final = 90.0


class DevStack:
    """A running `baton dev --json --no-demo`. ``ready`` is its line; `pids` are those of now."""

    def __init__(
        self, process: asyncio.subprocess.Process, data: Path, stdout: Path, stderr: Path, ready: Mapping[str, Any]
    ) -> None:
        self.process = process
        self.data = data
        self.stdout = stdout
        self.stderr = stderr
        self.ready = ready

    @property
    def url(self) -> str:
        """The root of its API."""
        return self.ready["url"]

    @property
    def api_key(self) -> str:
        """A key that may do everything."""
        return self.ready["api_key"]

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of now, by part."""
        return json.loads((self.data / "stack.json").read_text())["pids"]

    def client(self) -> httpx.AsyncClient:
        """A client of its API, with the key. The caller closes it."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30)

    def descendants(self) -> list[psutil.Process]:
        """All processes below it, and below those."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def log(self, part: str) -> str:
        """The end of a part's log."""
        return tail(self.data / "logs" / f"{part}.log", lines=60)

    def send_signal(self, part: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a part; returns its process id."""
        pid = self.pids[part]
        os.kill(pid, number)
        return pid

    async def restarted(self, part: str, old_pid: int) -> int:
        """Wait until a part that was killed is up again; returns its new process id."""
        await until(lambda: self.pids[part] != old_pid, seconds=60)
        return self.pids[part]

    async def kill_and_wait(self, part: str) -> int:
        """Kill a part with -9 and wait until it is up again."""
        return await self.restarted(part, self.send_signal(part))

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop; returns its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 60)


async def start_stack(
    data: Path,
    *,
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    baton: Sequence[str] = (sys.executable, "-m", "baton.cli"),
    directory: Path = _ROOT,
) -> DevStack:
    """Start a stack with its data in ``data`` and a free port; returns when it is ready.

    ``environment`` is added to ours; ``baton`` is the command, run in ``directory``. Raises AssertionError with
    what it said if it does not come up.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    out, err = (data.parent / f"{data.name}-{uuid4().hex[:8]}.{kind}" for kind in ("stdout", "stderr"))
    variables = without_settings()
    variables |= {"XDG_STATE_HOME": str(data / "state"), **(environment or {})}
    # If the tests are killed it is told to stop, and its parts with it.
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(signal.SIGTERM)), "-1", "-1"]
    command = [*baton, "dev", "--json", "--no-demo", "--port", "0", "--data", str(data)]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(*launcher, *command, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=directory,
            env=variables,
            start_new_session=True,
        )
    try:
        await until(lambda: out.read_bytes().endswith(b"\n") or process.returncode is not None, _UP_SECONDS)
        assert process.returncode is None, f"baton dev ended with {process.returncode}:\n{tail(err, 60)}"
    except BaseException:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise
    return DevStack(process, data, out, err, json.loads(out.read_text()))


@asynccontextmanager
async def running_stack(data: Path, **options: Any) -> AsyncGenerator[DevStack]:
    """A stack for the length of the block, started with ``options`` of `start_stack`."""
    stack = await start_stack(data, **options)
    try:
        yield stack
    finally:
        await stack.stop()


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition; TimeoutError if it does not come true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)
