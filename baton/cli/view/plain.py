"""Following an execution line by line: for pipes, logs and terminals that can do no more."""

import asyncio
from contextlib import aclosing

from rich.console import Console

from baton.cli.view.desk import Desk
from baton.cli.view.lines import Lines
from baton.cli.view.session import Session
from baton.client.errors import EXIT_WAITING
from baton.runtime.terminal import print_raw_json


async def follow_lines(
    session: Session,
    console: Console,
    *,
    typed: Lines | None = None,
    as_json: bool = False,
    until_waiting: bool = False,
) -> int:
    """Print what happens until there is nothing left to follow; return the exit code.

    ``typed``: where answers come from that were not prepared. ``as_json``: print the events, one a line, and nothing
    else. ``until_waiting``: leave with `EXIT_WAITING` once all that is left waits for what cannot come from here.
    """
    desk = session.desk

    def is_stuck() -> bool:
        helpless = desk is None or not (desk.has_prepared or _more(typed))
        return session.rests and helpless

    events = asyncio.create_task(_print_events(session, console, as_json=as_json))
    others = [asyncio.create_task(session.until(is_stuck))] if until_waiting else []
    if desk is not None:
        others.append(asyncio.create_task(_answer_questions(session, desk, typed, console, as_json=as_json)))
    if not as_json:
        others.append(asyncio.create_task(_tell_trouble(session, console)))
    tasks = {events, *others}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return session.exit_code if events in done else EXIT_WAITING
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _print_events(session: Session, console: Console, *, as_json: bool) -> None:
    async with aclosing(session.events()) as events:
        async for entry, lines in events:
            if as_json:
                print_raw_json(entry.raw)
                continue
            for line in lines:
                console.print(line)


async def _answer_questions(
    session: Session, desk: Desk, typed: Lines | None, console: Console, *, as_json: bool
) -> None:
    """Answer one question after the other, for as long as there are any."""
    while True:
        await session.until(
            lambda: desk.has_prepared or (desk.current is not None and not (typed is None or typed.ended))
        )
        prepared = desk.take_prepared()
        if prepared is not None:
            ask, text = prepared
        else:
            assert typed is not None
            line = await typed.next()
            if line is None:
                session.touch()
                continue
            # Somebody else may have answered while we waited for the line: it is for the question that is open now.
            await session.until(lambda: desk.current is not None)
            ask, text = desk.current, line
            assert ask is not None
            if not text.strip():
                continue
        trouble = await session.answer(desk, ask, text)
        if trouble is not None and not as_json:
            console.print(session.narrator.note(f"the answer to {ask.task.position} was not taken: {trouble}", "red"))


def _more(typed: Lines | None) -> bool:
    """Whether another line may be typed."""
    return typed is not None and not typed.ended


async def _tell_trouble(session: Session, console: Console) -> None:
    while True:
        await session.until(lambda: session.trouble is not None)
        console.print(session.narrator.note(f"connection lost ({session.trouble}); trying again", "red"))
        await session.until(lambda: session.trouble is None)
        console.print(session.narrator.note("connected again", "green"))
