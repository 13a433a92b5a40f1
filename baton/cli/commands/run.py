"""`baton run`: start a plan, see it through, answer what it asks."""

from typing import Annotated

import typer

from baton.cli.options import KeyOption, UrlOption, call
from baton.cli.view.desk import Desk
from baton.cli.view.lines import Lines
from baton.cli.view.session import Session
from baton.cli.view.show import Style, show
from baton.client.errors import UsageError
from baton.client.http import Client
from baton.client.schemas.executions import ExecutionOut
from baton.documents.document import read_plan
from baton.runtime.terminal import print_error, print_text


def run(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan: a YAML or JSON file, or `-` for stdin.")],
    answer: Annotated[
        list[str] | None,
        typer.Option(metavar="TASK=TEXT", help="Answer for a task, by its number in the plan. Can be repeated."),
    ] = None,
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Ask nobody. Exit with 3 once only people can continue the plan.")
    ] = False,
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Agent to run the plan, by name, number or id.")
    ] = None,
    queue: Annotated[str | None, typer.Option(metavar="QUEUE", help="The Temporal task queue.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Start the plan, print its id and exit.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print line by line, as into a pipe.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the events as JSON, one per line.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Start a plan, follow it and answer its questions.

    Exits with 0 if the plan succeeded, 1 if it failed, and 3 if it waits for an answer that nobody here can give.
    Ctrl-C leaves; the plan keeps running.
    """

    async def command(client: Client) -> int:
        prepared = prepared_answers(answer or [])
        document = read_plan(plan)
        with document.located("body", "plan"):
            execution = await client.start_plan(document.value, queue=queue, agent=agent)
        for warning in execution.warnings:
            print_error(f"warning: {warning}")
        if detach:
            print_text(str(execution.id))
            return 0
        typed = None if no_input or plan == "-" else Lines()
        return await see_through(client, execution, prepared, typed, Style(plain=plain, json=json))

    call(url, key, command)


async def see_through(
    client: Client, execution: ExecutionOut, prepared: dict[str, list[str]], typed: Lines | None, style: Style
) -> int:
    """Follow an execution to its end, answering from ``prepared`` and, unless ``typed`` is None, from who sits here."""
    desk = Desk(client, prepared) if prepared or typed is not None else None
    session = Session(client, execution, desk)
    return await show(session, style, typed=typed, until_waiting=True)


def prepared_answers(options: list[str]) -> dict[str, list[str]]:
    """`TASK=TEXT`, each, gathered by task. Raises UsageError."""
    answers: dict[str, list[str]] = {}
    for option in options:
        task, equals, text = option.partition("=")
        if not equals or not task.strip() or not text.strip():
            raise UsageError(f"--answer takes TASK=TEXT, not {option!r}")
        answers.setdefault(task.strip(), []).append(text)
    return answers
