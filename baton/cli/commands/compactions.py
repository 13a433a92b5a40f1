"""`baton compactions`: the summaries that an agent reads in place of older turns."""

from typing import Annotated

import typer

from baton.cli.options import KeyOption, UrlOption, call
from baton.client.address import find_task_id
from baton.client.http import Client
from baton.client.responses import as_json
from baton.runtime.terminal import print_json, print_text


def compactions(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id, or EXECUTION/NUMBER.")],
    undo: Annotated[int | None, typer.Option(metavar="NUMBER", help="Undo this one.")] = None,
    redo: Annotated[int | None, typer.Option(metavar="NUMBER", help="Redo this one.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Have the task's next step make one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print them as a JSON array.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List a task's summaries, ask for one, undo or redo one."""

    async def command(client: Client) -> int:
        task_id = await find_task_id(client, task)
        if (number := redo if undo is None else undo) is not None:
            await (client.redo_compaction if undo is None else client.undo_compaction)(task_id, number)
        if now:
            asked = await client.ask_for_compaction(task_id)
            if not json:
                print_text(
                    f"The task's next step makes one (asked for at {asked.requested_at:%Y-%m-%d %H:%M:%S} UTC).\n"
                )
        found = [one async for one in client.compactions(task_id)]
        if json:
            print_json([as_json(one) for one in found])
        for one in () if json else found:
            about = f"{one.number}  turns 1 to {one.left_out.last_turn}" + " (undone)" * bool(one.undone_at)
            print_text(f"{about}\n{one.summary}\n")
        return 0

    call(url, key, command)
