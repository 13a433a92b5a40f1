"""Tools as a deployer would bring them, which remember what they were called with."""

import asyncio
from typing import Final

from baton.agents.tools import ToolFailed, current_call, tool

#: (key of the call, tool, what it was called with), in the order of the calls, of all tests of this process.
CALLS: Final[list[tuple[str, str, str]]] = []


def calls_of(task: object) -> list[tuple[str, str]]:
    """The calls that were really made for a task."""
    return [(name, text) for key, name, text in CALLS if key.startswith(f"{task}/")]


@tool()
def record(text: str) -> str:
    """Leave a mark."""
    CALLS.append((current_call().key, "record", text))
    return f"recorded {text}"


@tool()
def refund(order: str) -> str:
    """Refund an order."""
    CALLS.append((current_call().key, "refund", order))
    return f"refunded {order}"


@tool(changes_things=False)
async def look(text: str) -> str:
    """Look at something."""
    CALLS.append((current_call().key, "look", text))
    return f"seen {text}"


@tool()
async def linger(seconds: float) -> str:
    """Take some time."""
    CALLS.append((current_call().key, "linger", str(seconds)))
    await asyncio.sleep(seconds)
    return "done"


@tool()
def refuse(text: str) -> str:
    """Say that it cannot be done."""
    CALLS.append((current_call().key, "refuse", text))
    raise ToolFailed("refused", f"no {text}")


@tool()
def fail(text: str) -> str:
    """Raise something that nobody has thought of."""
    CALLS.append((current_call().key, "fail", text))
    raise ZeroDivisionError(text)


def gathered(kilobytes: int) -> str:
    """What `gather` gives."""
    return "".join(f"{number:08}" for number in range(kilobytes * 128))


@tool(changes_things=False)
def gather(kilobytes: int) -> str:
    """Give a long result."""
    return gathered(kilobytes)


@tool(retries=2)
def stumble(times: int) -> str:
    """Fail a number of times, then do it."""
    CALLS.append((current_call().key, "stumble", str(times)))
    if sum(key == current_call().key for key, _, _ in CALLS) <= times:
        raise ConnectionError("the shop is shut")
    return "done"


@tool(concurrency=1)
async def alone(seconds: float) -> str:
    """Take some time, one call at once."""
    CALLS.append((current_call().key, "alone", str(seconds)))
    await asyncio.sleep(seconds)
    return "done"


@tool(repeatable=False)
async def pay(seconds: float) -> str:
    """Do what must not be done twice, and take some time over it."""
    CALLS.append((current_call().key, "pay", str(seconds)))
    await asyncio.sleep(seconds)
    return "paid"
