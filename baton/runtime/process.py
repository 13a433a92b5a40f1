"""The one edge at which a process ends."""

import logging
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """Write out what is buffered and end at once with ``code``; no finalizers run.

    A process that held a Temporal client may crash or hang while the interpreter takes its native threads down, after
    the work is done and with the wrong exit code. Everything that must be closed is closed before this is called.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the reader is gone, or it was closed: nobody is left to tell
            continue
    os._exit(code)
