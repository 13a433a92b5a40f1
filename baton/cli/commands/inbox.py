"""`baton inbox`: what waits for a person."""

from datetime import datetime
from typing import Annotated

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from baton.cli.commands.approvals import approval_lines
from baton.cli.options import KeyOption, UrlOption, call
from baton.cli.view.answers import labelled, question_of, rule_of
from baton.cli.view.texts import ago, cost_of
from baton.client.address import address_of
from baton.client.http import Client
from baton.client.responses import as_json
from baton.client.schemas.tasks import TaskOut
from baton.domain.conversation import Question
from baton.runtime.console import console
from baton.runtime.terminal import harmless, one_line, print_json


def inbox(
    json: Annotated[bool, typer.Option("--json", help="Print the waiting tasks as a JSON array.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the tasks that wait for a person, longest wait first.

    Shows what each task asks, and the command that answers it.
    """

    async def command(client: Client) -> int:
        waiting = [task async for task in client.waiting_tasks()]
        if json:
            print_json([as_json(task) for task in waiting])
        else:
            console().print(inbox_table(waiting, client.server_time()))
        return 0

    call(url, key, command)


def inbox_table(tasks: list[TaskOut], now: datetime) -> RenderableType:
    """The tasks with how long they wait, what they ask, and the command that answers each."""
    if not tasks:
        return Text("Nothing waits for you.", style="green")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=False, show_lines=False)
    table.add_column("Waits for", justify="right", no_wrap=True, style="yellow")
    table.add_column("What is asked", overflow="fold")
    for index, task in enumerate(tasks):
        since = ago(now - task.waiting_since) if task.waiting_since else ""
        table.add_row(since, _asked(task), end_section=index == len(tasks) - 1)
        if index < len(tasks) - 1:
            table.add_row("", "")
    return table


def _asked(task: TaskOut) -> RenderableType:
    title, used = Text(one_line(task.title), style="bold"), cost_of(task.usage.used)
    if used and title.cell_len + len(used) < 64:  # of 80 columns, beside the first
        title.append(f" · {used}", style="not bold dim")
    lines: list[Text] = [title]
    for question in map(question_of, task.questions):
        lines.append(Text(harmless(question.text).strip()))
        lines += [Text.assemble((f" {label} ", "yellow"), one_line(choice)) for label, choice in labelled(question)]
        if rule := rule_of(question):
            lines.append(Text(rule, style="dim"))
        lines.append(_command(task, question))
    for approval in task.approvals:
        lines += approval_lines(approval)
    return Group(*lines)


def _command(task: TaskOut, question: Question) -> Text:
    """Broken nowhere, so that it can be copied; a question is named only where there are several."""
    which = f" --question {question.id}" if len(task.questions) > 1 else ""
    command = f"baton send {address_of(task.execution_id, task.position)}{which} TEXT"
    return Text(command, style="dim", no_wrap=True, overflow="fold")
