"""`baton`: the command line. Which module has which command, and nothing else."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

from cli.process import leave

#: Where each command is: a function for typer, or a `typer.Typer` with commands below it. Only the module of the called
#: command gets imported, and all of them for `--help`: so what takes long to import is imported by the functions.
COMMANDS: Final = {
    "dev": "cli.commands.dev:dev",
    "run": "cli.run:run",
    "inbox": "cli.inbox:inbox",
    "send": "cli.send:send",
    "messages": "cli.messages:messages",
    "edit": "cli.receipts:edit",
    "withdraw": "cli.receipts:withdraw",
    "redrive": "cli.receipts:redrive",
    "approvals": "cli.approvals:approvals",
    "approve": "cli.approvals:approve",
    "decline": "cli.approvals:decline",
    "watch": "cli.watch:watch",
    "verify": "cli.verify.command:verify",
    "explain": "cli.explain:explain",
    "api": "cli.commands.api:api",
    "worker": "cli.commands.worker:worker",
    "migrate": "cli.commands.migrate:migrate",
    "keys": "cli.commands.keys:keys",
    "agents": "cli.agents:agents",
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


def run() -> None:
    """The entry point: never returns, see `cli.process.leave`."""
    called = sys.argv[1] if len(sys.argv) > 1 else ""
    app = build([called] if called in COMMANDS else list(COMMANDS))
    try:
        app(prog_name="baton")
    except SystemExit as ended:  # typer's and the commands' way to say how it went
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    leave(0)


if __name__ == "__main__":
    run()
