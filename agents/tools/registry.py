"""The tools that agents may have, by name, and how they are called."""

import asyncio
from functools import lru_cache
from typing import Any, Final

from pydantic import ValidationError
from pydantic_ai.tools import Tool, ToolDefinition
from pydantic_core import to_jsonable_python

from agents.responses import storable
from agents.tools.ask_user import ASK_USER, ASK_USER_DEFINITION
from agents.tools.clock import clock
from agents.tools.failure import UNKNOWN_TOOL, ToolFailed, bad_arguments
from domain.json import JsonObject, JsonValue

_TOOLS: Final[dict[str, Tool[None]]] = {tool.name: tool for tool in (Tool[None](clock, takes_ctx=False),)}
"""All tools. A tool is a function, plain or async; signature and docstring are its schema."""


def tool_names() -> tuple[str, ...]:
    """The names of the tools that an agent may be given; `ask_user` every agent has anyway."""
    return tuple(_TOOLS)


@lru_cache(maxsize=256)
def definitions(names: tuple[str, ...]) -> tuple[ToolDefinition, ...]:
    """What a model is told of `ask_user` and of the tools in ``names``. Names without a tool are left out."""
    return (ASK_USER_DEFINITION, *(_TOOLS[name].tool_def for name in dict.fromkeys(names) if name in _TOOLS))


async def call_tool(name: str, arguments: JsonObject) -> JsonValue:
    """What the tool ``name`` gives for ``arguments``. A plain function runs in a thread.

    Raises ToolFailed where the tool says so, is not known, or cannot take the arguments. Anything else that it raises
    is an error in the tool, and is not caught.
    """
    tool = _TOOLS.get(name)
    if tool is None:
        raise ToolFailed(UNKNOWN_TOOL, f"There is no tool {name!r}. Tools: {', '.join((*_TOOLS, ASK_USER))}.")
    schema = tool.function_schema
    try:
        validated: dict[str, Any] = schema.validator.validate_python(arguments)
    except ValidationError as error:
        raise bad_arguments(name, error) from error
    if schema.is_async:
        result = await schema.function(**validated)
    else:
        result = await asyncio.to_thread(schema.function, **validated)
    return storable(to_jsonable_python(result))
