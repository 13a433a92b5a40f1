"""`baton`: the command line. Which module has which command, and nothing else."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn

import typer

from baton.runtime.process import leave
from baton.runtime.terminal import say

#: Where each command is: a function for typer, or a `typer.Typer` with commands below it. Only the module of the called
#: command gets imported, and all of them for `--help`: so what takes long to import is imported by the functions.
COMMANDS: Final = {
    "dev": "baton.cli.commands.dev:dev",
    "run": "baton.cli.commands.run:run",
    "inbox": "baton.cli.commands.inbox:inbox",
    "send": "baton.cli.commands.send:send",
    "messages": "baton.cli.commands.messages:messages",
    "edit": "baton.cli.commands.receipts:edit",
    "withdraw": "baton.cli.commands.receipts:withdraw",
    "redrive": "baton.cli.commands.receipts:redrive",
    "approvals": "baton.cli.commands.approvals:approvals",
    "approve": "baton.cli.commands.approvals:approve",
    "decline": "baton.cli.commands.approvals:decline",
    "watch": "baton.cli.commands.watch:watch",
    "verify": "baton.cli.commands.verify:verify",
    "explain": "baton.cli.commands.explain:explain",
    "api": "baton.cli.commands.api:api",
    "worker": "baton.cli.commands.worker:worker",
    "migrate": "baton.cli.commands.migrate:migrate",
    "keys": "baton.cli.commands.keys:keys",
    "agents": "baton.cli.commands.agents:agents",
}


def build(names: Sequence[str]) -> typer.Typer:
    """The application with these commands."""
    app = typer.Typer(
        name="baton", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback()(_baton)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _baton() -> None:
    """A durable inbox for agent tasks."""


def run() -> NoReturn:
    """Run the command that was called: never returns, see `baton.runtime.process.leave`."""
    called = sys.argv[1] if len(sys.argv) > 1 else ""
    app = build([called] if called in COMMANDS else list(COMMANDS))
    try:
        app(prog_name="baton")
    except SystemExit as ended:  # typer's and the commands' way to say how it went
        if isinstance(ended.code, str):
            say(ended.code)
        leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    leave(0)
