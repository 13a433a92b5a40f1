"""What an agent can do beside speaking: Python functions, and questions to people."""

from baton.agents.tools.ask_user import AskUserQuestion, question_of
from baton.agents.tools.call import CallContext, current_call
from baton.agents.tools.failure import TIMED_OUT, TOOL_ERROR, ToolFailed
from baton.agents.tools.marks import tool
from baton.agents.tools.registry import (
    ToolsUnusable,
    add_tool,
    call_tool,
    check_arguments,
    concurrency_of,
    definitions,
    load_tools,
    missing_tool,
    retries_of,
    rules_of,
    tool_modules,
    tool_names,
    tools_changing_things,
    unrepeatable_tools,
)
from baton.agents.tools.running import Begun, Slot, ToolRunner
from baton.domain.catalog import ASK_USER

__all__ = [
    "ASK_USER",
    "TIMED_OUT",
    "TOOL_ERROR",
    "AskUserQuestion",
    "Begun",
    "CallContext",
    "Slot",
    "ToolFailed",
    "ToolRunner",
    "ToolsUnusable",
    "add_tool",
    "call_tool",
    "check_arguments",
    "concurrency_of",
    "current_call",
    "definitions",
    "load_tools",
    "missing_tool",
    "question_of",
    "retries_of",
    "rules_of",
    "tool",
    "tool_modules",
    "tool_names",
    "tools_changing_things",
    "unrepeatable_tools",
]
