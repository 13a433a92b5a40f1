"""Doing it: killing, pausing, slowing down."""

import asyncio
import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from baton.client.errors import ClientError, UsageError
from baton.verify.options import Fault
from baton.verify.target import Target

_BACK_SECONDS: Final = 120.0
#: What a Temporal at the far end of a bad line is like.
_LATENCY_SECONDS: Final = 1.0
_BYTES_PER_SECOND: Final = 64 * 1024.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault that is over, as Unix seconds of this machine: when it began, and when the part was back: up again, told
    to go on, or fast."""

    fault: Fault
    began: float
    back: float


def check_reach(target: Target, faults: Iterable[Fault]) -> None:
    """Raises UsageError for a fault that cannot be done to ``target``."""
    for fault in faults:
        if fault is Fault.SLOW_TEMPORAL:
            if target.temporal_proxy is None:
                raise UsageError("slow-temporal needs a stack of verify's own")
        elif target.processes.pid(fault.part) is None:
            raise UsageError(f"{fault} is not possible: {fault.part} does not belong to the stack")


async def inject(fault: Fault, target: Target, pause_seconds: float) -> Outage:
    """Do it, and return when the part is back. Raises ClientError if it does not come back."""
    began = time.time()
    if fault is Fault.SLOW_TEMPORAL:
        assert target.temporal_proxy is not None
        target.temporal_proxy.slow_down(_LATENCY_SECONDS, _BYTES_PER_SECOND)
        try:
            await asyncio.sleep(pause_seconds)
        finally:
            target.temporal_proxy.speed_up()
    elif fault.is_kill:
        await _kill(fault, target)
    else:
        await _pause(_pid(fault, target), pause_seconds)
    return Outage(fault, began, time.time())


def _pid(fault: Fault, target: Target) -> int:
    pid = target.processes.pid(fault.part)
    assert pid is not None
    return pid


async def _kill(fault: Fault, target: Target) -> None:
    old = _pid(fault, target)
    os.kill(old, signal.SIGKILL)
    deadline = time.monotonic() + _BACK_SECONDS
    while _pid(fault, target) == old:
        if time.monotonic() > deadline:
            raise ClientError(f"{fault}: {fault.part} did not come back within {_BACK_SECONDS:.0f} s")
        await asyncio.sleep(0.02)


async def _pause(pid: int, seconds: float) -> None:
    """Let a process and all below it stand still: PostgreSQL's connections are processes of their own."""
    stopped = [pid]
    os.kill(pid, signal.SIGSTOP)  # first, so that it starts no more
    try:
        for child in _descendants(pid):
            stopped.append(child)
            os.kill(child, signal.SIGSTOP)
        await asyncio.sleep(seconds)
    finally:
        for one in reversed(stopped):
            try:
                os.kill(one, signal.SIGCONT)
            except ProcessLookupError:
                continue


def _descendants(pid: int) -> list[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    found: list[int] = []
    ahead = list(children[pid])
    while ahead:
        child = ahead.pop()
        found.append(child)
        ahead += children[child]
    return found


def _parents() -> list[tuple[int, int]]:
    """(process, its parent) of every process."""
    if not Path("/proc/self/stat").exists():
        said = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)  # noqa: S607
        return [(int(line.split()[0]), int(line.split()[1])) for line in said.stdout.splitlines()]
    found: list[tuple[int, int]] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text()
        except OSError:  # it has ended
            continue
        found.append((int(file.parent.name), int(text.rpartition(")")[2].split()[1])))
    return found
