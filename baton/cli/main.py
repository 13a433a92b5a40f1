"""`baton`: the command line. Which command is where, and nothing else."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple, NoReturn

import typer

from baton.runtime.process import leave
from baton.runtime.terminal import say


class Command(NamedTuple):
    """Where a command is, and the line about it in `baton --help`."""

    place: str  #: a function for typer, or a `typer.Typer` with commands below it
    summary: str


#: Only the module of the called command gets imported, and none for `--help`.
COMMANDS: Final = {
    "dev": Command("dev:dev", "Run the whole stack on this machine."),
    "run": Command("run:run", "Start a plan, follow it and answer its questions."),
    "inbox": Command("inbox:inbox", "List the tasks that wait for a person, longest wait first."),
    "send": Command("send:send", "Send a message to a task, such as the answer to its question."),
    "messages": Command("messages:messages", "List a task's messages, and what became of each."),
    "compactions": Command("compactions:compactions", "List a task's summaries, ask for one, undo or redo one."),
    "artifacts": Command("artifacts:artifacts", "List the long results of a task or an execution, or print one."),
    "edit": Command("receipts:edit", "Change a message before the agent reads it."),
    "withdraw": Command("receipts:withdraw", "Withdraw a message before the agent reads it."),
    "pin": Command("receipts:pin", "Have the agent go on reading a message word for word."),
    "redrive": Command("receipts:redrive", "Send dead messages again, in their original order."),
    "approvals": Command("approvals:approvals", "List the tool calls that wait for consent, longest wait first."),
    "approve": Command("approvals:approve", "Approve a tool call."),
    "decline": Command("approvals:decline", "Decline a tool call."),
    "watch": Command("watch:watch", "Show what an execution has done, and follow it to its end."),
    "verify": Command("verify:verify", "Put load on a stack, and check that no message is lost."),
    "explain": Command("explain:explain", "Explain why a task is in its current state."),
    "api": Command("api:api", "Run the API."),
    "worker": Command("worker:worker", "Run a worker, which does the agents' work."),
    "doctor": Command("doctor:doctor", "Check an installation, and say what to do about what is wrong."),
    "replay": Command("replay:replay", "Check that this code can go on with the workflows that run."),
    "migrate": Command("migrate:migrate", "Migrate the database (DATABASE_URL) to the current schema."),
    "export": Command("export:export", "Write an execution, its messages and its log as JSON lines."),
    "prune": Command("prune:prune", "Remove finished executions, and deltas, by age."),
    "keys": Command("keys:keys", "Manage API keys."),
    "agents": Command("agents:agents", "Manage agents."),
}


def build(names: Sequence[str]) -> typer.Typer:
    """The application with these commands."""
    app = _app()
    for name in names:
        module, _, attribute = COMMANDS[name].place.partition(":")
        command = getattr(import_module(f"baton.cli.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def overview() -> typer.Typer:
    """The application as `--help` shows it, which can run nothing."""
    app = _app()
    for name, command in COMMANDS.items():
        app.command(name, help=command.summary)(_baton)
    return app


def _app() -> typer.Typer:
    app = typer.Typer(
        name="baton", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback()(_baton)
    return app


def _baton() -> None:
    """A durable inbox for agent tasks."""


def run() -> NoReturn:
    """Run the command that was called: never returns, see `baton.runtime.process.leave`."""
    called = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    app = build([called]) if called in COMMANDS else overview()
    try:
        app(prog_name="baton")
    except SystemExit as ended:  # typer's and the commands' way to say how it went
        if isinstance(ended.code, str):
            say(ended.code)
        leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    leave(0)
