"""A tool whose calls are counted outside of everything that a worker's death takes along."""

import os
import time
from pathlib import Path
from typing import Final

from baton.agents.tools import tool
from baton.runtime import faultpoints

#: Where each call leaves a line with its name.
FILE: Final = "COUNTED_CALLS"
#: Within the call, which is counted.
COUNTED: Final = "tool.counted"


@tool(repeatable=False)
def count(name: str, gate: str = "") -> str:
    """Leave a mark, once there is a file called `gate`; another beside that says who has come to it."""
    if gate:
        Path(f"{gate}-{name}").touch()
    while gate and not Path(gate).exists():
        time.sleep(0.01)
    file = os.open(os.environ[FILE], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(file, f"{name}\n".encode())
    finally:
        os.close(file)
    faultpoints.at(COUNTED)
    return f"counted {name}"
