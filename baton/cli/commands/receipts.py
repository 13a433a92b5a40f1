"""`baton edit`, `withdraw`, `pin`, `redrive`: what becomes of a message after it was sent."""

import sys
from typing import Annotated
from uuid import UUID

import typer

from baton.cli.commands.messages import messages_of
from baton.cli.options import KeyOption, UrlOption, call
from baton.client.errors import Refused, UsageError
from baton.client.http import Client
from baton.client.responses import as_json
from baton.client.schemas.messages import ChangedMessage
from baton.domain.states import MessageState
from baton.runtime.terminal import print_json, print_text

MessageArgument = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id.")]
VersionOption = Annotated[
    int | None, typer.Option("--if-version", metavar="N", help="Only if the task is still at version N.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the message as JSON.")]


def edit(
    message: MessageArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The new text. `-` reads stdin.")],
    if_version: VersionOption = None,
    json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Change a message before the agent reads it."""

    async def command(client: Client) -> int:
        said = sys.stdin.read() if text == "-" else text
        if not said.strip():
            raise UsageError("there is no text to send")
        _show(await client.edit(_id(message), said, if_version=if_version), "Edited", json)
        return 0

    call(url, key, command)


def withdraw(
    message: MessageArgument,
    if_version: VersionOption = None,
    json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Withdraw a message before the agent reads it.

    Questions that it answered are asked again.
    """

    async def command(client: Client) -> int:
        _show(await client.withdraw(_id(message), if_version=if_version), "Withdrawn", json)
        return 0

    call(url, key, command)


def pin(
    message: MessageArgument,
    off: Annotated[bool, typer.Option("--off", help="Take the pin off again.")] = False,
    json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Have the agent go on reading a message word for word."""

    async def command(client: Client) -> int:
        _show(await client.pin(_id(message), pinned=not off), "Unpinned" if off else "Pinned", json)
        return 0

    call(url, key, command)


def redrive(
    message: Annotated[str | None, typer.Argument(metavar="MESSAGE", help="The message's id.")] = None,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="All dead messages of this task.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All dead messages of all tasks.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the messages as a JSON array.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Send dead messages again, in their original order.

    Messages of cancelled tasks stay dead.
    """

    async def command(client: Client) -> int:
        if [message is not None, task is not None, every].count(True) != 1:
            raise UsageError("say which: a message's id, --task TASK, or --all")
        if message is not None:
            _tell([await client.redrive(_id(message))], 0, json)
            return 0
        if task is not None:
            dead = await messages_of(client, task, [MessageState.DEAD])
        else:
            dead = sorted([one async for one in client.dead_messages()], key=lambda one: (one.task_id, one.seq))
        driven: list[ChangedMessage] = []
        for one in dead:
            try:
                driven.append(await client.redrive(one.id))
            except Refused as refused:
                if refused.code != "task_closed":
                    raise
        _tell(driven, len(dead) - len(driven), json)
        return 0

    call(url, key, command)


def _tell(driven: list[ChangedMessage], closed: int, json: bool) -> None:
    if json:
        print_json([as_json(one) for one in driven])
        return
    for one in driven:
        what = f"Sent again as message {one.seq}" if one.state is MessageState.ACCEPTED else f"Left {one.state}"
        print_text(f"{what}, id {one.id}; the task is {one.task.state}.")
    if closed:
        print_text(f"{closed} stay dead: their tasks are cancelled.")
    if not driven and not closed:
        print_text("There are no dead messages.")


def _show(message: ChangedMessage, what: str, json: bool) -> None:
    if json:
        print_json(as_json(message), indent=False)
    else:
        print_text(f"{what}: message {message.seq}, id {message.id}; the task is {message.task.state}.")


def _id(text: str) -> str:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise UsageError(f"{text!r} names no message: give its id, as `baton messages TASK` shows it") from None
