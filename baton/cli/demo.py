"""The demo: a plan asks two people, is answered by REST while it works, and says what came of it."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.text import Text

from baton.cli.view.desk import Ask, Desk
from baton.cli.view.session import Session
from baton.cli.view.summary import result_table
from baton.client.errors import EXIT_FAILED, ClientError
from baton.client.http import Client
from baton.client.schemas.executions import ExecutionOut
from baton.client.server import Server
from baton.documents.document import read_plan
from baton.domain.states import TaskState
from baton.runtime.console import console_for_lines

PLAN: Final = Path(__file__).with_name("demo.yaml")
ANSWERS: Final = {"2": ["Sunday 21:00 UTC"], "3": ["10"]}
_THINKING_SECONDS: Final = 0.6
_LONGEST_SECONDS: Final = 180.0


async def play_demo(url: str, api_key: str, *, temporal_ui_url: str | None = None) -> int:
    """Play `examples/demo.yaml` against the Baton at ``url``, told line by line on stdout; nothing is to be typed.

    Returns 0 if the plan succeeded with both questions answered, else 1 or the exit code of what went wrong, which is
    told, too. Takes about ten seconds, and never more than three minutes.
    """
    console = console_for_lines()
    try:
        async with asyncio.timeout(_LONGEST_SECONDS), Client(Server(url.rstrip("/"), api_key)) as client:
            return await _play(client, console, temporal_ui_url)
    except ClientError as error:
        console.print(Text(f"The demo failed: {error.message}", style="red"))
        return error.exit_code
    except TimeoutError:
        console.print(Text(f"The demo did not finish within {_LONGEST_SECONDS:.0f} s.", style="red"))
        return EXIT_FAILED


async def _play(client: Client, console: Console, temporal_ui_url: str | None) -> int:
    execution = await client.start_plan(read_plan(str(PLAN)).value)
    asks = len(ANSWERS)
    _say(console, f"The demo: {execution.title}. {len(execution.tasks)} tasks, {asks} of them ask a person.")
    _call(console, "POST /baton/v1/executions", f"201, execution {execution.id}")
    desk = Desk(client, ANSWERS)
    session = Session(client, execution, desk, give_up_seconds=60.0, us="the demo")
    answering = asyncio.create_task(_answer(session, desk, console))
    try:
        async with aclosing(session.events()) as events:
            async for _, lines in events:
                for line in lines:
                    console.print(line)
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
    console.print(result_table(session.board))
    _say_where_to_look(console, client, execution, temporal_ui_url)
    return session.exit_code


async def _answer(session: Session, desk: Desk, console: Console) -> None:
    """Answer by REST what the plan asks, as anything that can send HTTP would."""
    while True:
        await session.until(lambda: desk.has_prepared)
        await asyncio.sleep(_THINKING_SECONDS)
        prepared = desk.take_prepared()
        if prepared is None:  # somebody else was quicker
            continue
        ask, text = prepared
        _call(console, f"POST /baton/v1/tasks/{ask.task.id}/messages", orjson.dumps({"text": text}).decode())
        trouble = await session.answer(desk, ask, text)
        _call(console, "", trouble or f"202: stored, and on its way{_meanwhile(session, ask)}")


def _meanwhile(session: Session, ask: Ask) -> str:
    others = [task for task in session.board.tasks.values() if task.state is TaskState.RUNNING and task is not ask.task]
    at_work = ", ".join(str(task.position) for task in others)
    return f"; {at_work} kept running meanwhile" if at_work else ""


def _say_where_to_look(console: Console, client: Client, execution: ExecutionOut, temporal_ui_url: str | None) -> None:
    url = client.server.url
    places = {
        "The event log": f"baton watch {execution.id}",
        "Answer questions yourself": "baton run examples/one-question.yaml",
        "Tasks waiting for you": "baton inbox",
        "The API": f"{url}/docs",
    }
    if temporal_ui_url:
        places["In Temporal"] = f"{temporal_ui_url.rstrip('/')}/namespaces/default/workflows/plan-{execution.id}"
    _say(console, "\nWhere to look next:")
    width = max(map(len, places))
    for what, where in places.items():
        console.print(Text.assemble((f"  {what:<{width}}  ", "dim"), where), soft_wrap=True)


def _say(console: Console, text: str) -> None:
    console.print(Text(text, style="bold"))


def _call(console: Console, request: str, rest: str) -> None:
    """A line about HTTP: what was sent, or what came back."""
    arrow = ("→ ", "blue") if request else ("← ", "blue")
    console.print(
        Text.assemble(" " * 9, arrow, (request, "blue"), "  " if request else "", (rest, "dim")), soft_wrap=True
    )
