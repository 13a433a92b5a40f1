"""`baton approvals`, `baton approve`, `baton decline`: tool calls that wait for consent."""

from typing import Annotated, cast
from uuid import UUID

import orjson
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from baton.cli.options import KeyOption, UrlOption, call
from baton.client.address import address_of
from baton.client.errors import UsageError
from baton.client.http import Client
from baton.client.responses import as_json
from baton.client.schemas.approvals import DecidedApproval, OpenApproval
from baton.client.schemas.base import Json
from baton.client.schemas.tasks import TaskOut
from baton.runtime.console import console
from baton.runtime.terminal import harmless, one_line, print_json, print_text

ApprovalArgument = Annotated[
    str, typer.Argument(metavar="APPROVAL", help="The approval's id, as `baton approvals` shows it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the approval as JSON.")]


def approvals(
    json: Annotated[bool, typer.Option("--json", help="Print the open approvals as a JSON array.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the tool calls that wait for consent, longest wait first.

    Shows the commands that approve or decline each.
    """

    async def command(client: Client) -> int:
        waiting = [task async for task in client.waiting_tasks() if task.approvals]
        if json:
            shown = [as_json(approval) | {"task_id": str(task.id)} for task in waiting for approval in task.approvals]
            print_json(shown)
        else:
            console().print(approvals_list(waiting))
        return 0

    call(url, key, command)


def approve(
    approval: ApprovalArgument,
    arguments: Annotated[
        str | None, typer.Option(metavar="JSON", help="Make the call with these arguments instead.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="A reason, for the record.")] = "",
    digest: Annotated[
        str | None, typer.Option(metavar="SHA256", help="Only if the call still has this digest.")
    ] = None,
    json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Approve a tool call."""
    decision: Json = {"decision": "approve", "reason": reason}
    if digest:
        decision["digest"] = digest
    _decide(approval, decision, arguments, json, url, key)


def decline(
    approval: ApprovalArgument,
    reason: Annotated[str, typer.Argument(metavar="REASON", help="The reason, which the agent reads.")],
    json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Decline a tool call."""
    _decide(approval, {"decision": "decline", "reason": reason}, None, json, url, key)


def _decide(approval: str, decision: Json, arguments: str | None, json: bool, url: str | None, key: str | None) -> None:
    async def command(client: Client) -> int:
        body = decision if arguments is None else decision | {"arguments": _object(arguments)}
        decided = await client.decide(_id(approval), body)
        if json:
            print_json(as_json(decided), indent=False)
        else:
            print_text(describe(decided))
        return 0

    call(url, key, command)


def describe(decided: DecidedApproval) -> str:
    """A decision in one line."""
    what = f"{decided.state.capitalize()}: {one_line(decided.tool or 'a call')}"
    if decided.edited_arguments is not None:
        what += " with other arguments"
    return f"{what}; the task is {decided.task.state}."


def approvals_list(tasks: list[TaskOut]) -> RenderableType:
    """The calls that wait, task by task, each with the commands that decide on it."""
    if not tasks:
        return Text("No tool call waits for consent.", style="green")
    lines: list[Text] = []
    for task in tasks:
        lines += [Text()] if lines else []
        where = address_of(task.execution_id, task.position)
        lines.append(Text.assemble((one_line(task.title), "bold"), (f"  {where}", "dim"), no_wrap=True))
        for approval in task.approvals:
            lines += approval_lines(approval)
    return Group(*lines)


def approval_lines(approval: OpenApproval) -> list[Text]:
    """A call that waits for consent, and the commands that decide on it: broken nowhere, so that they can be copied."""
    arguments = harmless(orjson.dumps(approval.arguments).decode())
    commands = (f"baton approve {approval.id}", f"baton decline {approval.id} REASON")
    return [
        Text.assemble("may it call ", (one_line(approval.tool), "yellow"), f" {arguments}"),
        *(Text(command, style="dim", no_wrap=True, overflow="fold") for command in commands),
    ]


def _object(text: str) -> Json:
    try:
        value = orjson.loads(text)
    except ValueError as error:
        raise UsageError(f"--arguments is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError("--arguments must be a JSON object")
    return cast("Json", value)


def _id(text: str) -> str:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise UsageError(f"{text!r} names no approval: give its id, as `baton approvals` shows it") from None
