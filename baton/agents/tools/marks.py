"""What makes a function a tool."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic_ai.tools import Tool

from baton.agents.tools.answer_schema import schema_problem
from baton.domain.json import JsonObject

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK: Final = "__baton_tool__"


@dataclass(frozen=True, slots=True)
class AgentTool:
    """A tool that agents may have. ``function`` with its schema; ``changes_things``: whether a call leaves anything
    different from what it was, so that a task that may only plan does not make it.

    ``parameters``: the schema of its arguments, None where they cannot be judged by it at a known cost.
    """

    function: Tool[None]
    changes_things: bool
    parameters: JsonObject | None


def tool(*, changes_things: bool = True) -> Callable[[_F], _F]:
    """Mark a function, plain or async, as a tool: its name, signature and docstring are what the model is told.

    The function may be called more than once for one call of the model, since a worker may die before it has recorded
    what the call gave: `baton.current_call` tells a key that is the same each time. What it raises makes the
    call fail, and the model is told the kind of error alone; `baton.ToolFailed` says more.
    """

    def mark(function: _F) -> _F:
        setattr(function, _MARK, changes_things)
        return function

    return mark


def is_tool(value: object) -> bool:
    """Whether ``value`` was marked by `tool`."""
    return callable(value) and hasattr(value, _MARK)


def tool_of(function: Callable[..., Any]) -> AgentTool:
    """The tool that a function is. One without a mark is taken to change things.

    Raises what pydantic-ai does for a signature that has no JSON Schema.
    """
    made = Tool[None](function, takes_ctx=False)
    parameters = made.tool_def.parameters_json_schema
    return AgentTool(made, bool(getattr(function, _MARK, True)), None if schema_problem(parameters) else parameters)
