"""The tools that agents may have, by name, and how they are called."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_ai.exceptions import UserError
from pydantic_ai.tools import ToolDefinition
from pydantic_core import to_jsonable_python

from baton.agents.responses import storable
from baton.agents.tools.artifacts import read_artifact
from baton.agents.tools.ask_user import ASK_USER_DEFINITION
from baton.agents.tools.call import CallContext, calling
from baton.agents.tools.clock import clock
from baton.agents.tools.failure import UNKNOWN_TOOL, ToolFailed, bad_arguments
from baton.agents.tools.marks import AgentTool, is_tool, tool_of
from baton.agents.tools.notes import read_notes, write_note
from baton.agents.tools.running import Begun, Slot, ToolRunner
from baton.domain.agents import Agent
from baton.domain.approvals import ToolRules, is_pattern
from baton.domain.catalog import ASK_USER
from baton.domain.json import JsonObject, JsonValue

#: Packages that bring tools name them in this group: functions, or modules with functions marked by `tool`.
ENTRY_POINTS: Final = "baton.tools"
#: What providers take for a tool's name.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")

_TOOLS: Final[dict[str, AgentTool]] = {
    function.__name__: tool_of(function) for function in (clock, write_note, read_notes, read_artifact)
}


class ToolsUnusable(Exception):
    """A deployer's tools cannot be used. The message says which, and why."""


def tool_modules(modules: Iterable[str]) -> tuple[str, ...]:
    """The names of all modules that bring tools: ``modules``, and those of installed packages. Imports none."""
    return (*modules, *(entry.module for entry in entry_points(group=ENTRY_POINTS)))


def load_tools(modules: Iterable[str]) -> tuple[str, ...]:
    """Add the marked functions of ``modules``, and what installed packages bring. Returns all names there are then.

    Again changes nothing. Raises ToolsUnusable for a module that cannot be imported or has no tool, for a function that
    cannot be one, and for two tools of one name.
    """
    for name in modules:
        _add_all(_imported(name), name)
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            found = entry.load()
        except Exception as error:
            raise ToolsUnusable(f"the entry point {entry.value} cannot be loaded: {error!r}") from error
        if isinstance(found, ModuleType):
            _add_all(found, entry.value)
        else:
            add_tool(found)
    return tool_names()


def add_tool(function: Callable[..., Any]) -> None:
    """Add a function as a tool. Raises ToolsUnusable like `load_tools`."""
    try:
        added = tool_of(function)
    except (UserError, TypeError, ValueError) as error:
        raise ToolsUnusable(f"{function!r} cannot be a tool: {error}") from error
    name = added.function.name
    if not _NAME.fullmatch(name) or name == ASK_USER:
        raise ToolsUnusable(f"{name!r} cannot be a tool's name")
    known = _TOOLS.setdefault(name, added)
    if known.function.function is not function:
        raise ToolsUnusable(f"there are two tools called {name!r}")
    definitions.cache_clear()


def _add_all(module: ModuleType, name: str) -> None:
    found = [value for value in vars(module).values() if is_tool(value)]
    if not found:
        raise ToolsUnusable(f"{name} has no function that is marked with `baton.tool`")
    for function in found:
        add_tool(function)


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:
        raise ToolsUnusable(f"the module {name} cannot be imported: {error!r}") from error


def tool_names() -> tuple[str, ...]:
    """The names of the tools that an agent may be given; `ask_user` every agent has anyway."""
    return tuple(_TOOLS)


def tools_changing_things() -> dict[str, bool]:
    """The tools that an agent may be given by name: whether a call changes things."""
    return {name: tool.changes_things for name, tool in _TOOLS.items()}


def tools_of(agent: Agent) -> Iterator[str]:
    """The names of the tools that ``agent`` has here."""
    return (name for name in dict.fromkeys(agent.tools) if name in _TOOLS)


def concurrency_of(name: str) -> int | None:
    """How many calls of a tool one worker makes at a time; None: as many as there are."""
    return _TOOLS[name].concurrency if name in _TOOLS else None


def retries_of(name: str) -> int:
    """How many more attempts there are at a call of a tool that is broken or took too long."""
    return _TOOLS[name].options.retries if name in _TOOLS else 0


def unrepeatable_tools() -> frozenset[str]:
    """The names of the tools whose calls are made once at most."""
    return frozenset(name for name, tool in _TOOLS.items() if not tool.options.repeatable)


def rules_of(agent: Agent) -> ToolRules:
    """What ``agent`` may do with its tools."""
    harmless = frozenset(name for name, tool in _TOOLS.items() if not tool.changes_things)
    parameters = {name: schema for name in tools_of(agent) if (schema := _TOOLS[name].parameters) is not None}
    known = (*_TOOLS, ASK_USER)
    doubtful = any(name not in known and not is_pattern(name) for name in agent.policies)
    return ToolRules(agent.policies, harmless, parameters, doubtful)


def missing_tool(agent: Agent, name: str) -> ToolFailed | None:
    """Why ``agent`` cannot call a tool called ``name``, whatever the policies say; None where it can."""
    names = tuple(tools_of(agent))
    if name in names:
        return None
    return ToolFailed(UNKNOWN_TOOL, f"There is no tool {name!r}. Tools: {', '.join((*names, ASK_USER))}.")


def check_arguments(name: str, arguments: JsonObject) -> None:
    """Raises ToolFailed as `call_tool` would before the call: nobody is asked to consent to what cannot be called."""
    _validated(name, arguments)


def _validated(name: str, arguments: JsonObject) -> tuple[AgentTool, dict[str, Any]]:
    tool = _TOOLS.get(name)
    if tool is None:
        raise ToolFailed(UNKNOWN_TOOL, f"There is no tool {name!r}. Tools: {', '.join((*_TOOLS, ASK_USER))}.")
    try:
        return tool, tool.function.function_schema.validator.validate_python(arguments)
    except ValidationError as error:
        raise bad_arguments(name, error) from error


@lru_cache(maxsize=256)
def definitions(names: tuple[str, ...]) -> tuple[ToolDefinition, ...]:
    """What a model is told of `ask_user` and of the tools in ``names``. Names without a tool are left out."""
    return (ASK_USER_DEFINITION, *(_TOOLS[name].function.tool_def for name in dict.fromkeys(names) if name in _TOOLS))


async def call_tool(
    name: str,
    arguments: JsonObject,
    context: CallContext | None = None,
    runner: ToolRunner | None = None,
    begun: Begun | None = None,
    slot: Slot | None = None,
) -> JsonValue:
    """What the tool ``name`` gives for ``arguments``. A plain function runs in a thread.

    ``context``: what the tool gets as `current_call`; ``runner`` makes the call, among others, and tells ``begun``;
    ``slot`` was taken for it.
    Raises ToolFailed where the tool says so, is not known, cannot take the arguments, or takes too long. Anything else
    that it raises is an error in the tool, and is not caught.
    """
    tool, validated = _validated(name, arguments)
    with nullcontext() if context is None else calling(context):
        result = await (runner or ToolRunner()).run(tool, validated, begun or Begun(), slot)
    return storable(to_jsonable_python(result))
