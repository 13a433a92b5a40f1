"""Baton, a durable inbox for agent tasks: what programs that use it import.

`tool`, `current_call` and `ToolFailed` are for modules with tools of your own (docs/tools.md); `Client` calls a server.
Each is imported on first use: `import baton` alone costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from baton.agents.tools import ToolFailed, current_call, tool
    from baton.client import Client

__all__ = ["Client", "ToolFailed", "current_call", "tool"]

_HOMES: Final = {
    "Client": "baton.client",
    "ToolFailed": "baton.agents.tools",
    "current_call": "baton.agents.tools",
    "tool": "baton.agents.tools",
}


def __getattr__(name: str) -> object:
    """See PEP 562. Raises AttributeError for what is not in `__all__`."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'baton' has no attribute {name!r}")
    return getattr(import_module(home), name)
