"""Become another program that dies with its parent. Run as a script, by path: it needs the standard library alone.

    launch.py PARENT_PID DEATH_SIGNAL UID GID COMMAND [ARGUMENT…]

UID and GID of -1 keep the user. A function for `preexec_fn` would do the same in the forked copy of a process with
threads, where it may deadlock; this one starts clean. The process id stays, so a supervisor knows its child by it.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); Linux only


def launch(parent: int, death_signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Never returns. Raises OSError if the program is not there or the user cannot be changed."""
    if gid != -1:
        os.setgroups([])
        os.setgid(gid)
    if uid != -1:
        os.setuid(uid)  # clears the death signal, so that comes after
    if sys.platform == "linux":
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(1)
    os.execvp(command[0], command)  # noqa: S606 (a shell is what we do not want)


if __name__ == "__main__":
    launch(*(int(number) for number in sys.argv[1:5]), command=sys.argv[5:])
