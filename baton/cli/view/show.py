"""Where an execution is shown: live in a terminal that can, else line by line."""

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.text import Text

from baton.cli.view.lines import Lines
from baton.cli.view.plain import follow_lines
from baton.cli.view.session import Session
from baton.cli.view.summary import result_table
from baton.client.errors import EXIT_WAITING
from baton.runtime.console import console_for_lines
from baton.runtime.terminal import one_line, say

_PIPE_PATIENCE_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Style:
    """How the user wants to see it: line by line even in a terminal, or as JSON."""

    plain: bool = False
    json: bool = False


async def show(session: Session, style: Style, *, typed: Lines | None, until_waiting: bool) -> int:
    """Follow an execution to its end and show the results; return the exit code.

    ``typed``: where answers are typed, None if nobody is to be asked. ``until_waiting``: leave with `EXIT_WAITING`
    when only a person could go on, and nobody here can answer.
    """
    console = console_for_lines()
    live = not style.plain and not style.json and _can_be_live()
    if not style.json:
        _say_what_this_is(session, console)
    try:
        if live:
            from baton.cli.view.live import follow_live  # termios, which some systems lack

            code = await follow_live(
                session, console, typing=typed is not None, until_waiting=until_waiting and typed is None
            )
        else:
            session.give_up_seconds = _PIPE_PATIENCE_SECONDS
            code = await follow_lines(session, console, typed=typed, as_json=style.json, until_waiting=until_waiting)
    except asyncio.CancelledError:
        if not session.board.state.is_over:
            say(f"\nThe execution keeps running. To come back:\n  {session.come_back}")
        raise
    if not style.json:
        if session.only is None:
            console.print(result_table(session.board))
        if code == EXIT_WAITING:
            told = "It waits for a person. To see what is asked, and to come back:"
            console.print(f"\n{told}\n  baton inbox\n  {session.come_back}", style="yellow", soft_wrap=True)
    return code


def _say_what_this_is(session: Session, console: Console) -> None:
    execution = session.execution
    console.print(Text.assemble((one_line(execution.title), "bold"), "  ", (str(execution.id), "dim")))
    if execution.summary:
        console.print(Text(one_line(execution.summary), style="dim"))


def _can_be_live() -> bool:
    return (
        sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and os.name == "posix"
    )
