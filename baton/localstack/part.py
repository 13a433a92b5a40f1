"""A part of the stack: how to start one process, to tell that it is up, and to stop it."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from baton.localstack.spawn import SystemUser, kill_group, spawn, tail


class PartFailed(Exception):
    """A part did not come up, or cannot. The message is for a person and says where to read on."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the supervisor must know of one process.

    `is_up` is asked, with the process id, until it says yes; it must return within a second or so and raises nothing.
    `before_start` runs ahead of every start, also of a restart.
    """

    name: str
    command: Sequence[str]
    log: Path
    is_up: Callable[[int], Awaitable[bool]]
    environment: Mapping[str, str] | None = None
    directory: Path | None = None
    user: SystemUser | None = None
    pass_fds: Sequence[int] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    kill_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 10.0
    up_seconds: float = 60.0
    before_start: Callable[[], Awaitable[None]] | None = None


@dataclass(slots=True)
class RunningPart:
    """A part whose process runs, or has ended."""

    part: Part
    process: asyncio.subprocess.Process
    started: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        """The process id; another one after a restart."""
        return self.process.pid

    async def stop(self) -> None:
        """Ask it to stop; after `stop_seconds` insist. Returns when it and its process group are gone."""
        if self.process.returncode is None:
            _signal(self.process, self.part.stop_signal)
            try:
                await asyncio.wait_for(self.process.wait(), self.part.stop_seconds)
            except TimeoutError:
                _signal(self.process, self.part.kill_signal)
                try:
                    await asyncio.wait_for(self.process.wait(), 5)
                except TimeoutError:
                    _signal(self.process, signal.SIGKILL)
                    await self.process.wait()
        kill_group(self.pid)


async def start(part: Part) -> RunningPart:
    """Start a part and wait until it is up. Raises PartFailed; then nothing of it is left running."""
    if part.before_start is not None:
        await part.before_start()
    process = await spawn(
        part.command,
        log=part.log,
        environment=part.environment,
        directory=part.directory,
        user=part.user,
        death_signal=part.kill_signal,
        pass_fds=part.pass_fds,
    )
    running = RunningPart(part, process)
    try:
        async with asyncio.timeout(part.up_seconds):
            while not await part.is_up(process.pid):
                if process.returncode is not None:
                    raise PartFailed(_report(part, f"ended with {_how(process.returncode)} before it was up"))
                await asyncio.sleep(0.02)
    except TimeoutError:
        await running.stop()
        raise PartFailed(_report(part, f"was not up within {part.up_seconds:.0f} s")) from None
    except BaseException:
        await running.stop()
        raise
    return running


def how_it_ended(running: RunningPart) -> str:
    """ "exit code 1", "SIGKILL"; only for one that has ended."""
    assert running.process.returncode is not None
    return _how(running.process.returncode)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _signal(process: asyncio.subprocess.Process, what: signal.Signals) -> None:
    try:
        process.send_signal(what)
    except ProcessLookupError:  # it has ended since we looked
        return


def _report(part: Part, what: str) -> str:
    said = tail(part.log)
    return f"{part.name} {what}; its log is {part.log}" + (f", which ends with:\n{said}" if said else " (empty)")
