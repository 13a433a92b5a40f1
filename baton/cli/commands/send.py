"""`baton send`: one message to one task."""

import sys
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import typer

from baton.cli.options import KeyOption, UrlOption, call
from baton.cli.view.answers import choice_labelled, question_of
from baton.client.address import find_task_id, only_task_of
from baton.client.errors import Refused, UsageError
from baton.client.http import Client, SentMessage
from baton.client.responses import as_json
from baton.runtime.terminal import print_json, print_text

Mode = Literal["queue", "interrupt", "reject"]

_LONGEST_LABEL: Final = 3


def send(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id, or EXECUTION/NUMBER.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The message, or a choice's number. `-` reads stdin.")],
    mode: Annotated[
        Mode | None, typer.Option(help="If the task is running: wait for the next turn, end this one, or be refused.")
    ] = None,
    question: Annotated[
        str | None, typer.Option(metavar="ID", help="The question to answer. Default: all open ones.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Send at most once with this key; a repeat returns the first receipt."),
    ] = None,
    if_version: Annotated[int | None, typer.Option(metavar="N", help="Only if the task is still at version N.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Send a message to a task, such as the answer to its question.

    If the question offers choices, send the number or letter that `baton inbox` shows for one of them.
    Once this returns, the message is stored and will reach the agent, in order.
    """

    async def command(client: Client) -> int:
        said = sys.stdin.read() if text == "-" else text
        if not said.strip():
            raise UsageError("there is no text to send")
        sent = await send_message(
            client, task, said, mode=mode, question=question, idempotency_key=idempotency_key, if_version=if_version
        )
        if json:
            print_json(as_json(sent.receipt), indent=False)
        else:
            print_text(describe(sent))
        return 0

    call(url, key, command)


async def send_message(
    client: Client,
    address: str,
    text: str,
    *,
    mode: str | None = None,
    question: str | None = None,
    idempotency_key: str | None = None,
    if_version: int | None = None,
) -> SentMessage:
    """Send to the task that ``address`` names; the id of an execution stands for its task if it has only one.

    Raises UsageError, Refused, Unreachable.
    """

    async def to(task_id: str) -> SentMessage:
        chosen = await choice_meant(client, task_id, text, question)
        return await client.send(
            task_id,
            text if chosen is None else chosen.text,
            mode=mode,
            question=question if chosen is None else chosen.question_id,
            idempotency_key=idempotency_key,
            if_version=if_version,
        )

    task_id = await find_task_id(client, address)
    try:
        return await to(task_id)
    except Refused as refused:
        if refused.status != 404:
            raise
        only = await only_task_of(client, task_id)
        if only is None:
            raise
        return await to(only)


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice that a question offers."""

    question_id: str
    text: str


async def choice_meant(client: Client, task_id: str, text: str, question_id: str | None) -> Choice | None:
    """The choice that ``text`` is the label of, among those that the task's open questions offer; None if it is none.

    Naming its question, the answer cannot reach another that is asked meanwhile. Raises UsageError for a label of
    several questions, Refused, Unreachable.
    """
    label = text.strip().casefold()
    if len(label) > _LONGEST_LABEL or not (label.isdecimal() or (len(label) == 1 and label.isalpha())):
        return None
    task = await client.task(task_id)
    questions = [question_of(one) for one in task.questions if question_id in (None, one.id)]
    found = [Choice(one.id, answer) for one in questions if (answer := choice_labelled(one, label)) is not None]
    if len(found) > 1:
        raise UsageError(
            f"{text.strip()} is a choice of several questions: name one with --question {found[0].question_id}"
        )
    return found[0] if found else None


def describe(sent: SentMessage) -> str:
    """A receipt in one line."""
    accepted, receipt = "Accepted before" if sent.replayed else "Accepted", sent.receipt
    return f"{accepted} as message {receipt.seq}, id {receipt.id}; the task is {receipt.task.state}."
