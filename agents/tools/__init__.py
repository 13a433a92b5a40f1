"""What an agent can do beside speaking: Python functions, and questions to people."""

from agents.tools.ask_user import ASK_USER, AskedQuestion, question_of
from agents.tools.failure import ToolFailed
from agents.tools.registry import call_tool, definitions

__all__ = ["ASK_USER", "AskedQuestion", "ToolFailed", "call_tool", "definitions", "question_of"]
