"""`baton migrate`."""

import asyncio
from typing import Annotated

import typer


def migrate(
    search_attributes: Annotated[
        bool, typer.Option(help="Also register the search attributes with Temporal (TEMPORAL_ADDRESS, …).")
    ] = False,
    wait: Annotated[float, typer.Option(help="Wait for servers that are not up yet, so many seconds.")] = 0.0,
) -> None:
    """Bring the database (DATABASE_URL) to the newest schema. Safe to repeat, and while Baton runs."""
    asyncio.run(_migrate(search_attributes, wait))


async def _migrate(search_attributes: bool, wait: float) -> None:
    from cli.configuration import settings_or_exit
    from store.migrate import migrate as bring_up_to_date

    deadline = asyncio.get_running_loop().time() + wait
    while True:
        try:
            ran = await bring_up_to_date(settings_or_exit().dsn)
            break
        except OSError as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise SystemExit(f"baton: the database cannot be reached: {error}") from error
        await asyncio.sleep(0.5)
    print("\n".join(ran) if ran else "The schema is up to date.")
    if search_attributes:
        await _register(deadline)


async def _register(deadline: float) -> None:
    from temporalio.client import Client
    from temporalio.envconfig import ClientConfig

    from cli.search_attributes import SEARCH_ATTRIBUTES, register_search_attributes

    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "localhost:7233")
    while True:
        try:
            client = await Client.connect(**config)
            break
        except RuntimeError as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise SystemExit(f"baton: Temporal cannot be reached: {error}") from error
        await asyncio.sleep(0.5)
    await register_search_attributes(client)
    print(f"Temporal's namespace {client.namespace!r} knows {', '.join(SEARCH_ATTRIBUTES)}.")
