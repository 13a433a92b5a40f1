"""TCP ports on this machine, for programs that take a number and not a socket."""

import fcntl
import os
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_HOST: Final = "127.0.0.1"
_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class HeldPort:
    """A port that was free, and that no other stack of this user chooses until it is released, or we end."""

    number: int
    lock: IO[str]

    def release(self) -> None:
        """Let others choose it, and leave no file. May be repeated."""
        if not self.lock.closed:
            Path(self.lock.name).unlink(missing_ok=True)
            self.lock.close()


def hold_port(preferred: int) -> HeldPort:
    """``preferred`` if nobody has it, else any free port."""
    for attempt in range(_ATTEMPTS):
        number = _free(preferred if attempt == 0 else 0)
        if number is None:
            continue
        lock = (Path(tempfile.gettempdir()) / f"baton-{os.geteuid()}-port-{number}.lock").open("w")
        if _locked(lock):
            return HeldPort(number, lock)
        lock.close()
    raise OSError(f"no free port on {_HOST}")


def listens(pid: int, port: int) -> bool:
    """Whether the process ``pid`` is the one that listens on ``port``; True where the system cannot tell."""
    if not Path("/proc/self/net/tcp").exists():
        return True
    sockets = {f"socket:[{inode}]" for inode in _listeners(port)}
    with suppress(OSError):  # the process has ended, or is another user's
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it was closed meanwhile
                if str(descriptor.readlink()) in sockets:
                    return True
    return False


def _locked(lock: IO[str]) -> bool:
    """Lock the file unless somebody has; False also where its last holder has removed it meanwhile."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock.fileno()), os.stat(lock.name))
    except (BlockingIOError, FileNotFoundError):
        return False


def _free(port: int) -> int | None:
    with socket.socket(socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return None
        return int(probe.getsockname()[1])


def _listeners(port: int) -> list[str]:
    """The inodes of the sockets that listen on ``port``, on any address."""
    found: list[str] = []
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(fields[9])
    return found
