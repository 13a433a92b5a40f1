"""`baton artifacts`: results of tool calls that were too long for the agent to read whole."""

from typing import Annotated

import typer

from baton.cli.options import KeyOption, UrlOption, call
from baton.client.address import find_execution, task_at
from baton.client.errors import UsageError
from baton.client.http import Client
from baton.client.responses import as_json
from baton.runtime.terminal import one_line, print_json, print_text


def artifacts(
    where: Annotated[
        str | None,
        typer.Argument(metavar="TASK|EXECUTION", help="The task's or the execution's id, or EXECUTION/NUMBER."),
    ] = None,
    read: Annotated[str | None, typer.Option(metavar="ARTIFACT", help="Print what this one says.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print them as a JSON array.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the long results of a task or an execution, or print one."""

    async def command(client: Client) -> int:
        if (where is None) == (read is None):
            raise UsageError("say which: a task or an execution, or --read ARTIFACT")
        if read is not None:
            async for text in client.artifact(read):
                print_text(text, end="")
            return 0
        execution, position = await find_execution(client, where or "")
        task = None if position is None else task_at(execution, position)
        found = [one async for one in client.artifacts(execution.id, task)]
        if json:
            print_json([as_json(one) for one in found])
        for one in () if json else found:
            kept = "" if one.size == one.whole_bytes else f" of {one.whole_bytes:,}"
            print_text(f"{one.id}  {one_line(one.tool)}, turn {one.turn}: {one.size:,}{kept} bytes, {one.media_type}")
        return 0

    call(url, key, command)
