"""Named instants at which a process can be made to die, so that tests can place a fault exactly.

Unset (as everywhere but under test) a point costs one comparison. With `BATON_FAULTPOINTS=DIR`, the first process that
comes to the point NAME while a file DIR/NAME exists removes the file and kills itself with SIGKILL: nothing is flushed,
closed or rolled back by anyone but the operating system.
"""

import os
import signal
from pathlib import Path
from typing import Final

_DIRECTORY: Final = os.environ.get("BATON_FAULTPOINTS")

#: A message has been checked, nothing is committed.
SEND_CHECKED: Final = "send.checked"
#: A message is committed, nobody has been told.
SEND_COMMITTED: Final = "send.committed"
#: A start has been checked, nothing is committed.
START_CHECKED: Final = "start.checked"
#: A start is committed, nobody has been told.
START_COMMITTED: Final = "start.committed"
#: Temporal has brought the step to a worker, nothing is claimed.
STEP_ARRIVED: Final = "step.arrived"
#: A turn has claimed its messages, and nothing else has happened.
STEP_CLAIMED: Final = "step.claimed"
#: The model has answered in full, nothing of it is recorded.
STEP_ANSWERED: Final = "step.answered"
#: The answer is recorded, Temporal has not been told.
STEP_RECORDED: Final = "step.recorded"

#: It is recorded that a tool is being called, and it is not yet.
TOOL_STARTED: Final = "tool.started"
#: A tool has given its result, nothing of it is recorded.
TOOL_RETURNED: Final = "tool.returned"
#: A tool's result is recorded, Temporal has not been told.
TOOL_RECORDED: Final = "tool.recorded"

STARTS: Final = (START_CHECKED, START_COMMITTED)
MESSAGES: Final = (SEND_CHECKED, SEND_COMMITTED, STEP_ARRIVED, STEP_CLAIMED, STEP_ANSWERED, STEP_RECORDED)


def at(name: str) -> None:
    """Die here, if a test has asked for it."""
    if _DIRECTORY is None:
        return
    try:
        Path(_DIRECTORY, name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
