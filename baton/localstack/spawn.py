"""Start a child process that never outlives us."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: See its docstring for its arguments.
LAUNCHER: Final = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A user of this machine, as numbers."""

    uid: int
    gid: int


async def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    user: SystemUser | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    pass_fds: Sequence[int] = (),
) -> asyncio.subprocess.Process:
    """Start ``command``; its output is appended to ``log``.

    It leads a process group and a session of its own: Ctrl-C in a terminal reaches us alone, and its descendants can be
    found. When this process dies, by whatever means, it gets ``death_signal`` (on Linux). To be called on the main
    thread: Linux takes the end of the thread that started a child for the end of its parent.
    """
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal))]
    owner = [str(user.uid), str(user.gid)] if user is not None else ["-1", "-1"]
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *launcher,
            *owner,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment) if environment is not None else None,
            cwd=directory,
            start_new_session=True,
            pass_fds=pass_fds,
        )


def kill_group(leader: int) -> None:
    """End what is left of a child's process group; nothing happens if nothing is."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS reports a group of zombies as the latter
        return


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, "" if there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 16_384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
