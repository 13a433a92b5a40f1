"""What makes a function a tool."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic_ai.tools import Tool

from baton.agents.tools.answer_schema import schema_problem
from baton.domain.json import JsonObject

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK: Final = "__baton_tool__"

#: How many calls of a plain function one worker makes at a time, where the tool does not say.
PLAIN_CONCURRENCY: Final = 64


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """What `tool` was told of a function; see there."""

    changes_things: bool = True
    repeatable: bool = True
    timeout_seconds: float | None = None
    retries: int = 0
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class AgentTool:
    """A tool that agents may have: a function with its schema.

    ``parameters``: the schema of its arguments, None where they cannot be judged by it at a known cost.
    """

    function: Tool[None]
    options: ToolOptions
    parameters: JsonObject | None

    @property
    def name(self) -> str:
        """The name by which models call it."""
        return self.function.name

    @property
    def changes_things(self) -> bool:
        """Whether a call leaves anything different from what it was: a task that may only plan does not make it."""
        return self.options.changes_things

    @property
    def is_plain(self) -> bool:
        """Whether it needs a thread."""
        return not self.function.function_schema.is_async

    @property
    def concurrency(self) -> int | None:
        """How many calls of it one worker makes at a time; None: as many as there are."""
        return self.options.concurrency or (PLAIN_CONCURRENCY if self.is_plain else None)


def tool(
    *,
    changes_things: bool = True,
    repeatable: bool = True,
    timeout: float | None = None,
    retries: int = 0,
    concurrency: int | None = None,
) -> Callable[[_F], _F]:
    """Mark a function, plain or async, as a tool: its name, signature and docstring are what the model is told.

    The function may be called more than once for one call of the model, since a worker may die before it has recorded
    what the call gave: `baton.current_call` tells a key that is the same each time. One that is not ``repeatable`` is
    called once at most, and where it may have been called the task asks a person whether it was. What it raises makes
    the call fail, and the model reads the error's type and message, with secrets masked; the message of a
    `baton.ToolFailed` it reads as it is.

    ``timeout``: a call is ended after so many seconds, and failed; without it, after 54 minutes. An async function is
    cancelled; a plain one cannot be, and runs on without effect on the task. ``retries``: how many more attempts there
    are at a call that raised something else than `baton.ToolFailed` or took too long, after 1, 2, 4, … 30 seconds;
    without it, none. ``concurrency``: one worker makes so many
    calls of this tool at a time, and more wait; without it, 64 of a plain function, any number of an async one.

    Raises ValueError for a limit that is not positive, and for retries of what is not repeatable.
    """
    if retries < 0 or (retries and not repeatable):
        raise ValueError("retries must not be negative, and none of a tool that is not repeatable")
    for name, value in (("timeout", timeout), ("concurrency", concurrency)):
        if value is not None and value <= 0:
            raise ValueError(f"{name} must be positive")
    options = ToolOptions(changes_things, repeatable, timeout, retries, concurrency)

    def mark(function: _F) -> _F:
        setattr(function, _MARK, options)
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
    options = getattr(function, _MARK, ToolOptions())
    return AgentTool(made, options, None if schema_problem(parameters) else parameters)
