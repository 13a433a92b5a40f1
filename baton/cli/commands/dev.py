"""`baton dev`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer


def dev(
    host: Annotated[str, typer.Option(help="Address that the API listens on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The API's port; 0: any free one.", show_default="8080, or any free one"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep everything here.", show_default="temporary, removed at the end")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="When ready, print one line of JSON and nothing else; plays no demo.")
    ] = False,
    demo: Annotated[bool, typer.Option(help="Play the example plan when ready.")] = True,
    stay: Annotated[bool, typer.Option(help="Stay up after the demo, until Ctrl-C or SIGTERM.")] = True,
) -> None:
    """Run the whole stack on this machine: PostgreSQL, Temporal with its UI, the API and a worker."""
    from baton.cli.demo import play_demo
    from baton.localstack.dev import Options, run
    from baton.localstack.stack import Ready
    from baton.runtime.startup import settings_or_exit

    async def played(ready: Ready) -> int:
        return await play_demo(ready.url, ready.api_key, temporal_ui_url=ready.temporal_ui_url)

    options = Options(
        host=host,
        port=port,
        data=data,
        json=json,
        demo=played if demo and not json else None,
        stay=stay,
        task_queue=settings_or_exit().task_queue,
    )
    raise typer.Exit(asyncio.run(run(options)))
