"""How a tool call fails."""

from typing import Final

from pydantic import ValidationError

UNKNOWN_TOOL: Final = "tool_unknown"
BAD_ARGUMENTS: Final = "tool_bad_arguments"
TOOL_ERROR: Final = "tool_error"
TIMED_OUT: Final = "tool_timed_out"


class ToolFailed(Exception):
    """A tool call that failed, as a result: ``message`` is for the model, which may try something else.

    ``str()`` is the code alone; the message may quote what the model wrote.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def bad_arguments(tool: str, error: ValidationError) -> ToolFailed:
    """What the model is told about arguments that do not fit ``tool``: each place, and what is wrong there."""
    problems = [f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in error.errors()]
    return ToolFailed(BAD_ARGUMENTS, f"{tool} was not called. {'; '.join(problems)}")
