"""What the commands that call Baton have in common: their options, and how they end."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer

from baton.client.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, ClientError
from baton.client.http import Client
from baton.client.server import find_server
from baton.runtime.terminal import print_error

UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="BATON_URL", show_envvar=True, help="URL of the Baton server.", metavar="URL"),
]
AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name, number or uuid.")]
KeyOption = Annotated[
    str | None, typer.Option("--key", envvar="BATON_API_KEY", show_envvar=True, help="The API key.", metavar="KEY")
]


def call(url: str | None, key: str | None, command: Callable[[Client], Coroutine[Any, Any, int]]) -> NoReturn:
    """Run a command against Baton and end with the exit code it returns; an error is one line on stderr.

    The exit codes are in `baton.client.errors`.
    """

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character must not end the command

    async def connected() -> int:
        async with Client(find_server(url, key, say=print_error)) as client:
            return await command(client)

    try:
        code = asyncio.run(connected())
    except ClientError as error:
        print_error(error.message)
        code = error.exit_code
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except asyncio.CancelledError:
        code = EXIT_TERMINATED
    except BrokenPipeError:  # whoever read our output has gone; what is still buffered must not fail at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    raise typer.Exit(code)
