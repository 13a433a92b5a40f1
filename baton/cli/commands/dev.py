"""`baton dev`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer


def dev(
    host: Annotated[str, typer.Option(help="Address the API listens on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port for the API; 0 picks a free one.", show_default="8080, or a free one"
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Directory for all data.", show_default="temporary, removed at the end")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="When ready, print one line of JSON and nothing else. Skips the demo.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Model of the default agent: provider:model. Skips the demo, which needs `scripted`."
        ),
    ] = None,
    demo: Annotated[bool, typer.Option(help="Play the example plan when ready.")] = True,
    stay: Annotated[bool, typer.Option(help="Keep running after the demo, until Ctrl-C or SIGTERM.")] = True,
) -> None:
    """Run the whole stack on this machine.

    That is PostgreSQL, Temporal with its UI, the API and a worker. The worker gets your environment: keys of model
    providers (OPENAI_API_KEY, …), BATON_TOOLS_MODULES. It finds your modules in the current directory.
    """
    from baton.cli.demo import play_demo
    from baton.localstack.dev import DevOptions, run
    from baton.localstack.stack import Ready
    from baton.runtime.startup import settings_or_exit

    async def played(ready: Ready) -> int:
        return await play_demo(ready.url, ready.api_key, temporal_ui_url=ready.temporal_ui_url)

    options = DevOptions(
        host=host,
        port=port,
        data=data,
        json=json,
        demo=played if demo and not json and model is None else None,
        stay=stay,
        task_queue=settings_or_exit().task_queue,
        model=model,
    )
    raise typer.Exit(asyncio.run(run(options)))
