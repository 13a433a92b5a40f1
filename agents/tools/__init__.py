"""What an agent can do beside speaking: Python functions, and questions to people."""

from agents.tools.ask_user import ASK_USER, AskedQuestion, question_of
from agents.tools.call import CallContext, current_call
from agents.tools.failure import TOOL_ERROR, ToolFailed
from agents.tools.marks import tool
from agents.tools.registry import (
    ToolsUnusable,
    add_tool,
    call_tool,
    definitions,
    load_tools,
    missing_tool,
    rules_of,
    tool_names,
)

__all__ = [
    "ASK_USER",
    "TOOL_ERROR",
    "AskedQuestion",
    "CallContext",
    "ToolFailed",
    "ToolsUnusable",
    "add_tool",
    "call_tool",
    "current_call",
    "definitions",
    "load_tools",
    "missing_tool",
    "question_of",
    "rules_of",
    "tool",
    "tool_names",
]
