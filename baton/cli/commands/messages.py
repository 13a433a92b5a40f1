"""`baton messages`: what was sent, and what became of it."""

from datetime import datetime
from typing import Annotated

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from baton.cli.options import KeyOption, UrlOption, call
from baton.cli.view.texts import STYLES, ago
from baton.client.address import find_task_id, only_task_of
from baton.client.errors import Refused, UsageError
from baton.client.http import Client
from baton.client.responses import as_json
from baton.client.schemas.messages import MessageOut
from baton.domain.authors import AuthorKind
from baton.domain.states import MessageState
from baton.runtime.console import console
from baton.runtime.terminal import harmless, one_line, print_json


def messages(
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="The task's id, or EXECUTION/NUMBER."),
    ] = None,
    state: Annotated[
        list[MessageState] | None, typer.Option(help="Only messages in this state. Can be repeated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the messages as a JSON array.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List a task's messages, and what became of each.

    Messages are in the order in which the agent reads them. Without a task, lists the dead messages of all tasks.
    """

    async def command(client: Client) -> int:
        if task is None:
            if set(state or ()) - {MessageState.DEAD}:
                raise UsageError("name a task: of all tasks, only the dead messages are listed")
            found = [message async for message in client.dead_messages()]
        else:
            found = await messages_of(client, task, state or [])
        if json:
            print_json([as_json(one) for one in found])
        else:
            console().print(messages_table(found, client.server_time(), name_tasks=task is None))
        return 0

    call(url, key, command)


async def messages_of(client: Client, address: str, states: list[MessageState]) -> list[MessageOut]:
    """The messages of the task that ``address`` names; the id of an execution stands for its task if it has only one.

    Raises UsageError, Refused, Unreachable.
    """
    task_id = await find_task_id(client, address)
    try:
        return [message async for message in client.messages(task_id, states)]
    except Refused as refused:
        only = await only_task_of(client, task_id) if refused.status == 404 else None
        if only is None:
            raise
        return [message async for message in client.messages(only, states)]


def messages_table(found: list[MessageOut], now: datetime, *, name_tasks: bool) -> RenderableType:
    """The messages, with how long each has been in its state. ``name_tasks``: they are of several tasks."""
    if not found:
        return Text("There are no dead messages." if name_tasks else "There are no messages.", style="green")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=False)
    table.add_column("", justify="right", no_wrap=True, style="dim")
    table.add_column("State", no_wrap=True)
    table.add_column("For", justify="right", no_wrap=True)
    table.add_column("Message", overflow="fold")
    for message in found:
        since = ago(now - (message.ended_at or message.claimed_at or message.accepted_at))
        state = Text(message.state, style=STYLES[message.state])
        table.add_row(str(message.seq), state, since, _said(message, name_task=name_tasks))
    return table


def _said(message: MessageOut, *, name_task: bool) -> RenderableType:
    """What it says, from whom, and the id that other commands take, which is broken nowhere."""
    where = " in Temporal" if message.author and message.author.kind is AuthorKind.TEMPORAL else ""
    details = [f"from {one_line(message.sender) or 'somebody'}{where}"]
    if message.turn is not None:
        details.append(f"turn {message.turn}")
    if message.reason:
        details.append(one_line(message.reason))
    lines = [Text(harmless(message.text).strip()), Text(" · ".join(details), style="dim")]
    if name_task:
        lines.append(Text(f"task {message.task_id}", style="dim", no_wrap=True, overflow="fold"))
    lines.append(Text(str(message.id), style="dim", no_wrap=True, overflow="fold"))
    return Group(*lines)
