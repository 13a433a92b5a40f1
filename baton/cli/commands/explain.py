"""`baton explain`: why a task is where it is."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from baton.cli.options import KeyOption, UrlOption, call
from baton.cli.view.texts import ago, usage_line
from baton.client.address import find_task_id
from baton.client.http import Client
from baton.client.responses import as_json
from baton.client.schemas.tasks import ExplanationOut
from baton.runtime.console import console
from baton.runtime.terminal import harmless, one_line, print_json


def explain(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id, or EXECUTION/NUMBER.")],
    json: Annotated[bool, typer.Option("--json", help="Print the explanation as JSON.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Explain why a task is in its current state."""

    async def command(client: Client) -> int:
        told = await client.explain(await find_task_id(client, task))
        if json:
            print_json(as_json(told))
        else:
            console().print(explanation(told, client.server_time()))
        return 0

    call(url, key, command)


def explanation(told: ExplanationOut, now: datetime) -> RenderableType:
    """The state and the agent, each reason with how long it has been so, and what was used."""
    lines = [Text.assemble("The task is ", (str(told.state), "bold"), f". Its agent is {one_line(told.agent.name)}.")]
    for reason in told.reasons:
        line = Text.assemble("  • ", harmless(reason.text).strip())
        if reason.since:
            line.append(f"  {when(reason.since, now)}", style="dim")
        lines.append(line)
    if used := usage_line(told.usage.used):
        lines.append(Text(f"It has used {used}.", style="dim"))
    return Group(*lines)


def when(at: datetime, now: datetime) -> str:
    """How long ago, or in how long."""
    return f"for {ago(now - at)}" if at <= now else f"in {ago(at - now)}"
