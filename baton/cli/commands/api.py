"""`baton api`."""

import socket
from typing import Annotated

import typer

from baton.runtime.terminal import print_text


def api(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="BATON_HOST, else 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port to listen on; 0 picks a free one.", show_default="BATON_PORT, else 8080"
        ),
    ] = None,
    fd: Annotated[
        int | None, typer.Option(help="Listen on this inherited socket descriptor instead.", show_default=False)
    ] = None,
) -> None:
    """Run the API. For several processes, run it several times."""
    from baton.runtime.startup import exit_if_missing, exit_if_shadowed, listen_or_exit, settings_or_exit

    exit_if_shadowed()
    from api.serving import serve

    settings = settings_or_exit()
    if settings.redis_url is not None:
        exit_if_missing("redis", "redis")
    if fd is not None:
        listener = socket.socket(fileno=fd)
    else:
        listener = listen_or_exit(settings.host if host is None else host, settings.port if port is None else port)
        print_text("Listening on {}:{}".format(*listener.getsockname()[:2]))
    raise typer.Exit(serve(settings, listener))
