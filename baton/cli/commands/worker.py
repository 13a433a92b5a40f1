"""`baton worker`."""

import json
import os
import sys
from typing import Annotated

import typer

from baton.runtime.startup import exit_if_shadowed


def worker(
    queue: Annotated[
        list[str] | None,
        typer.Option(help="Task queue to serve. May be repeated.", show_default="BATON_WORKER_QUEUES"),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Steps that run at once.", show_default="BATON_MAX_CONCURRENT_ACTIVITIES"),
    ] = None,
    pollers: Annotated[
        int | None,
        typer.Option(min=1, help="Requests for steps kept open per queue.", show_default="BATON_ACTIVITY_TASK_POLLERS"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Steps started per second and queue.", show_default="BATON_ACTIVITIES_PER_SECOND"),
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(help="Name of the worker in Temporal's UI.", show_default="BATON_WORKER_IDENTITY"),
    ] = None,
    grace: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds that model calls get to finish when it stops.",
            show_default="BATON_WORKER_SHUTDOWN_SECONDS",
        ),
    ] = None,
    deployment: Annotated[
        str | None,
        typer.Option(help="Deployment, for Temporal's worker versioning.", show_default="BATON_DEPLOYMENT"),
    ] = None,
    build_id: Annotated[
        str | None, typer.Option(help="Name of the code in Temporal.", show_default="BATON_BUILD_ID")
    ] = None,
) -> None:
    """Run a worker, which does the agents' work.

    Run several for more capacity. SIGTERM lets short steps end, leaves others to other workers and gives model calls
    under way some time; a second one leaves those, too.
    """
    from baton.runtime.installation import worker_command

    exit_if_shadowed()
    options = {
        "WORKER_QUEUES": json.dumps(queue) if queue else None,
        "MAX_CONCURRENT_ACTIVITIES": concurrency,
        "ACTIVITY_TASK_POLLERS": pollers,
        "ACTIVITIES_PER_SECOND": rate,
        "WORKER_IDENTITY": identity,
        "WORKER_SHUTDOWN_SECONDS": grace,
        "DEPLOYMENT": deployment,
        "BUILD_ID": build_id,
    }
    os.environ.update({f"BATON_{name}": str(given) for name, given in options.items() if given is not None})
    command = worker_command()
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 (no shell is wanted)
