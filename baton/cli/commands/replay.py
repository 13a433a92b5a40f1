"""`baton replay`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from baton.client.errors import EXIT_FAILED, EXIT_UNREACHABLE, EXIT_USAGE
from baton.runtime.console import console
from baton.runtime.terminal import print_error, print_json, print_text


def replay(
    histories: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[HISTORY]...", exists=True, help="Recorded histories, or folders of them, instead."),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Runs of each type, state and age.")] = 10,
    queue: Annotated[str | None, typer.Option(help="Runs of this task queue alone.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check that this code can go on with the workflows that run.

    For before a deploy. Workflows (TEMPORAL_…) are only read. Exits with 1 where one of them cannot be replayed.
    """
    raise typer.Exit(asyncio.run(_replay(histories, sample, queue, json)))


async def _replay(files: list[Path] | None, sample: int, queue: str | None, json: bool) -> int:
    from baton.domain.errors import Unavailable
    from baton.service.replays import Replays, report, shapes
    from baton.service.temporal import TemporalRefused, connect

    replays = Replays()
    try:
        if files:
            replayed = [one async for one in replays.of_files(files)]
        else:
            replayed = [one async for one in replays.of_namespace(await connect(), sample, queue)]
    except (Unavailable, TemporalRefused, RuntimeError) as error:  # RuntimeError: it cannot connect
        print_error(f"Temporal cannot be asked: {error}")
        return EXIT_UNREACHABLE
    except ValueError as error:
        print_error(str(error))
        return EXIT_USAGE
    found = shapes(replayed)
    failed = [one for shape in found for one in shape.failed]
    if json:
        print_json(report(found))
        return EXIT_FAILED if failed else 0
    table = Table("workflow", "state", "traits", "replayed", "failed", box=None)
    for shape in found:
        counts = str(shape.replayed), str(len(shape.failed))
        table.add_row(shape.workflow, shape.state, ", ".join(shape.traits), *counts)
    console().print(table)
    for shape in found:
        for one in shape.failed[:1]:
            print_text(f"{one.workflow_id} (run {one.run_id}): {one.error}")
    print_text(_verdict(len(replayed), len(failed)))
    return EXIT_FAILED if failed else 0


def _verdict(replayed: int, failed: int) -> str:
    if failed:
        return f"{failed} of {replayed} runs cannot be replayed by this code. See docs/runbooks/deploy.md."
    if not replayed:
        return "Nothing runs: there is nothing to replay."
    return f"All {replayed} runs can be replayed by this code."
