"""`baton agents …`: agents as data, from the command line or from a YAML file."""

from json import loads
from typing import Annotated, Any

import typer
import yaml
from rich import box
from rich.table import Table

from baton.cli.commands.check import check
from baton.cli.options import AgentArgument, KeyOption, UrlOption, call
from baton.client.errors import UsageError
from baton.client.http import Client
from baton.client.responses import as_json
from baton.client.schemas.agents import ChangedAgent, WholeAgent
from baton.client.schemas.base import Json
from baton.documents.document import NO_DOCUMENT, read_object
from baton.runtime.console import console
from baton.runtime.terminal import one_line, print_error, print_json, print_text

agents = typer.Typer(help="Manage agents.", no_args_is_help=True)
agents.command("check")(check)

FileOption = Annotated[
    str | None, typer.Option("--file", "-f", metavar="FILE", help="Read the agent from YAML or JSON; `-` is stdin.")
]
NameOption = Annotated[str | None, typer.Option(help="The agent's name.")]
ModelOption = Annotated[str | None, typer.Option(help="`scripted`, or provider:model.")]
InstructionsOption = Annotated[str | None, typer.Option(help="Instructions, which come before everything else.")]
ToolOption = Annotated[
    list[str] | None, typer.Option("--tool", metavar="NAME", help="A tool it may use. Can be repeated.")
]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option("--policy", metavar="TOOL=POLICY", help="allow, ask or deny; `*` stands for all other tools."),
]
LimitOption = Annotated[
    list[str] | None, typer.Option("--limit", metavar="NAME=NUMBER", help="A limit, such as max_turns=20.")
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--setting", metavar="NAME=VALUE", help="How the model is asked, such as temperature=0.2. Can be repeated."
    ),
]
FallbackOption = Annotated[
    list[str] | None,
    typer.Option("--fallback", metavar="MODEL", help="A model to ask where the others cannot answer. Can be repeated."),
]
ModeOption = Annotated[
    str | None, typer.Option(help="Default mode of messages to a running task: queue, interrupt or reject.")
]
DefaultOption = Annotated[bool | None, typer.Option("--default", help="Use this agent where callers name none.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VersionOption = Annotated[
    int | None, typer.Option("--if-version", metavar="N", help="Only if the agent is still at version N.")
]


@agents.callback()
def _agents() -> None:
    """Manage agents."""


@agents.command("list")
def list_(json: JsonOption = False, url: UrlOption = None, key: KeyOption = None) -> None:
    """List agents, oldest first."""

    async def command(client: Client) -> int:
        found = [agent async for agent in client.agents()]
        if json:
            print_json([as_json(agent) for agent in found])
        else:
            console().print(agents_table(found))
        return 0

    call(url, key, command)


@agents.command()
def show(agent: AgentArgument, json: JsonOption = False, url: UrlOption = None, key: KeyOption = None) -> None:
    """Show an agent as YAML, which `create` and `change` read."""

    async def command(client: Client) -> int:
        _show(await client.agent(agent), json)
        return 0

    call(url, key, command)


@agents.command()
def create(
    file: FileOption = None,
    name: NameOption = None,
    model: ModelOption = None,
    instructions: InstructionsOption = None,
    tool: ToolOption = None,
    policy: PolicyOption = None,
    limit: LimitOption = None,
    setting: SettingOption = None,
    fallback: FallbackOption = None,
    mode: ModeOption = None,
    default: DefaultOption = None,
    json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Create an agent. Options override the file."""

    async def command(client: Client) -> int:
        document = read_object(file, "agent") if file else NO_DOCUMENT
        body = _body(document.value, name, model, instructions, tool, policy, limit, setting, fallback, mode, default)
        with document.located("body"):
            _show(await client.create_agent(body), json)
        return 0

    call(url, key, command)


@agents.command()
def change(
    agent: AgentArgument,
    file: FileOption = None,
    name: NameOption = None,
    model: ModelOption = None,
    instructions: InstructionsOption = None,
    tool: ToolOption = None,
    policy: PolicyOption = None,
    limit: LimitOption = None,
    setting: SettingOption = None,
    fallback: FallbackOption = None,
    mode: ModeOption = None,
    default: DefaultOption = None,
    if_version: VersionOption = None,
    json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Change an agent. What is not given stays as it is.

    Lists and objects are replaced as a whole. Options override the file.
    """

    async def command(client: Client) -> int:
        document = read_object(file, "agent") if file else NO_DOCUMENT
        body = _body(document.value, name, model, instructions, tool, policy, limit, setting, fallback, mode, default)
        with document.located("body"):
            _show(await client.change_agent(agent, body, if_version=if_version), json)
        return 0

    call(url, key, command)


#: What an agent's file may hold beside what can be changed: `show` writes it.
_GIVEN_BY_BATON = ("id", "number", "version", "created_at", "updated_at")


def _body(
    given: Json,
    name: str | None,
    model: str | None,
    instructions: str | None,
    tool: list[str] | None,
    policy: list[str] | None,
    limit: list[str] | None,
    setting: list[str] | None,
    fallback: list[str] | None,
    mode: str | None,
    default: bool | None,
) -> Json:
    """What is sent: the object ``given`` in a file, under what was said on the command line. Raises UsageError."""
    body = {field: value for field, value in given.items() if field not in _GIVEN_BY_BATON}
    said: Json = {
        "name": name,
        "model": model,
        "instructions": instructions,
        "tools": tool or None,
        "policies": dict(_pair(one, "--policy") for one in policy) if policy else None,
        "limits": {field: _number(value) for field, value in (_pair(one, "--limit") for one in limit)}
        if limit
        else None,
        "model_settings": {field: _json(value) for field, value in (_pair(one, "--setting") for one in setting)}
        if setting
        else None,
        "fallbacks": [{"model": one} for one in fallback] if fallback else None,
        "mode": mode,
        "is_default": default,
    }
    body |= {field: value for field, value in said.items() if value is not None}
    if not body:
        raise UsageError("there is nothing to send: give a file, or say what the agent is to be")
    return body


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{option} takes NAME=VALUE, not {text!r}")
    return name.strip(), value.strip()


def _number(text: str) -> int | float:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise UsageError(f"--limit takes NAME=NUMBER, not {text!r}") from None


def _json(text: str) -> Any:
    """What ``text`` is in JSON; other text is meant as it is."""
    try:
        return loads(text, parse_constant=str)  # Infinity and NaN are not JSON
    except ValueError:
        return text


def _show(agent: WholeAgent | ChangedAgent, json: bool) -> None:
    shown = as_json(agent)
    for warning in shown.pop("warnings", ()):  # what is printed is an agent's file, which has no warnings
        print_error(f"warning: {warning}")
    if json:
        print_json(shown)
    else:
        print_text(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True).rstrip())


def agents_table(found: list[WholeAgent]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("No.", "Name", "Model", "Mode", "Tools"):  # any of them is addressed by its number
        table.add_column(column, overflow="fold", no_wrap=column in ("No.", "Mode"))
    for agent in found:
        name = one_line(agent.name) + (" (default)" if agent.is_default else "")
        tools = ", ".join(one_line(tool) for tool in agent.tools)
        table.add_row(str(agent.number), name, one_line(agent.model), agent.mode, tools)
    return table
