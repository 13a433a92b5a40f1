"""`baton watch`: look at an execution, or at one of its tasks, from its beginning on."""

from typing import Annotated

import typer

from baton.cli.options import KeyOption, UrlOption, call
from baton.cli.view.desk import Desk
from baton.cli.view.lines import Lines
from baton.cli.view.session import Session
from baton.cli.view.show import Style, show
from baton.client.address import find_execution
from baton.client.errors import EXIT_FAILED, EXIT_SUCCEEDED
from baton.client.http import Client
from baton.client.schemas.executions import ExecutionOut
from baton.client.stream import follow
from baton.runtime.terminal import print_raw_json


def watch(
    what: Annotated[
        str, typer.Argument(metavar="EXECUTION|TASK", help="An execution's id, a task's id, or EXECUTION/NUMBER.")
    ],
    answer_here: Annotated[bool, typer.Option("--answer-here", help="Ask the open questions here.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print line by line, as into a pipe.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the events as JSON, one per line.")] = False,
    after: Annotated[int, typer.Option(metavar="N", min=0, help="With --json: only events after number N.")] = 0,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show what an execution has done, and follow it to its end.

    Exits with 0 if it succeeded, else with 1. Ctrl-C leaves; the execution keeps running.
    """

    async def command(client: Client) -> int:
        execution, position = await find_execution(client, what)
        if json:
            return await _print_events(client, execution, position, after)
        desk = Desk(client) if answer_here else None
        session = Session(client, execution, desk, only=position)
        return await show(session, Style(plain=plain), typed=Lines() if answer_here else None, until_waiting=False)

    call(url, key, command)


async def _print_events(client: Client, execution: ExecutionOut, position: int | None, after: int) -> int:
    """Print the raw events until the execution is over; with ``position`` those of one task, and of none."""
    async for entry in follow(client, str(execution.id), after=after):
        if position is None or entry.event.position in (None, position):
            print_raw_json(entry.raw)
    ended = await client.execution(execution.id)
    states = [str(task.state) for task in ended.tasks if task.position == position] or [str(ended.state)]
    return EXIT_SUCCEEDED if states == ["succeeded"] else EXIT_FAILED
