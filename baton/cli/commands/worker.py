"""`baton worker`."""

import os
import sys

from baton.runtime.startup import exit_if_shadowed


def worker() -> None:
    """Run a worker, which does the agents' work.

    Run several for more capacity.
    """
    from baton.runtime.installation import worker_command

    exit_if_shadowed()
    command = worker_command()
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 (no shell is wanted)
