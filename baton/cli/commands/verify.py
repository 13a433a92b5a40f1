"""`baton verify`."""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from baton.client.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_SUCCEEDED, ClientError
from baton.runtime.terminal import print_error, print_json, say
from baton.verify.options import Fault, LoadOptions, parse_faults


def verify(
    url: Annotated[
        list[str] | None,
        typer.Option("--url", metavar="URL", help="URL of the stack's API. Repeat it for several API processes."),
    ] = None,
    key: Annotated[str, typer.Option("--key", envvar="BATON_API_KEY", metavar="KEY", help="The API key.")] = "",
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Data directory of a running `baton dev`.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="AGENT", help="An agent that runs the scripted model.")
    ] = None,
    tasks: Annotated[int, typer.Option(min=1, help="Number of tasks to send messages to.")] = 20,
    senders: Annotated[int, typer.Option(min=1, help="Number of concurrent senders.")] = 8,
    messages: Annotated[int, typer.Option(min=1, help="Number of messages, over all senders.")] = 1000,
    faults: Annotated[
        str, typer.Option(metavar="FAULT,…", help=f"Faults to inject, one after the other: {', '.join(Fault)}.")
    ] = "",
    fault_every: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Time between two faults.")] = 5.0,
    pause: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="How long a pause or slowness lasts.")] = 8.0,
    patience: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=1, help="How long to retry, and to wait without progress before giving up."
        ),
    ] = 60.0,
    seed: Annotated[int, typer.Option(help="Seed for the messages and the tasks they go to.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the report as one line of JSON.")] = False,
) -> None:
    """Put load on a stack, and check that no message is lost.

    Compares what was acknowledged with what the agents did, with --faults while the stack is being broken. Without
    --url and --data it starts a stack of its own and removes it afterwards. Exits with 0 only if every message was
    read once and in order, nothing was left unfinished, and no event is missing.
    """
    try:
        options = LoadOptions(
            urls=tuple(one.rstrip("/") for one in url or ()),
            key=key,
            data=data,
            agent=agent,
            tasks=tasks,
            senders=senders,
            messages=messages,
            faults=parse_faults(faults),
            fault_every_seconds=fault_every,
            pause_seconds=pause,
            patience_seconds=patience,
            seed=seed,
        )
        options.check()
        code = asyncio.run(_verify(options, json=json))
    except ClientError as error:
        print_error(error.message)
        code = error.exit_code
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    raise typer.Exit(code)


async def _verify(options: LoadOptions, *, json: bool) -> int:
    """Returns the exit code. Raises ClientError."""
    from baton.localstack.part import PartFailed
    from baton.runtime.console import console
    from baton.verify.ledger import Ledger
    from baton.verify.load import run_load
    from baton.verify.report import as_json, is_clean, print_report
    from baton.verify.target import Target, running_in

    directory = Path(tempfile.mkdtemp(prefix="baton-verify-"))
    clean = False
    try:
        async with AsyncExitStack() as stack:
            if options.urls:
                target = Target(options.urls, options.key)
            elif options.data is not None:
                target = running_in(options.data)
            else:
                from baton.verify.throwaway import throwaway_stack

                say("Starting a stack to be thrown away …")
                proxied = Fault.SLOW_TEMPORAL in options.faults
                target = await stack.enter_async_context(throwaway_stack(directory, say, proxied=proxied))
            ledger = Ledger(directory / "ledger.jsonl")
            stack.callback(ledger.close)
            result = await run_load(target, options, ledger, say)
        clean = is_clean(result)
        if not clean:
            evidence = [asdict(execution) for execution in result.evidence]
            (directory / "evidence.json").write_bytes(orjson.dumps(evidence))
        if json:
            print_json(as_json(options, result), indent=False)
        else:
            print_report(console(), options, result)
        return EXIT_SUCCEEDED if clean else EXIT_FAILED
    except PartFailed as failure:
        raise ClientError(str(failure)) from failure
    finally:
        if _tidied(directory, keep=not clean):
            say(f"The ledger, what it was compared with, and the logs of a stack of our own are in {directory}")


def _tidied(directory: Path, *, keep: bool) -> bool:
    """Remove what nobody needs any more. Whether something was kept."""
    if keep and any(directory.iterdir()):
        return True
    shutil.rmtree(directory, ignore_errors=True)
    return False
