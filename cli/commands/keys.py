"""`baton keys …`."""

import asyncio
from typing import Annotated

import typer

from domain.agents import Scope

keys = typer.Typer(help="API keys.", no_args_is_help=True)


@keys.callback()
def _keys() -> None:
    """API keys."""


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose key; the tenant is made if there is none of this name.")],
    scopes: Annotated[
        str, typer.Option(help=f"What it may do, with commas: {', '.join(Scope)}.")
    ] = "tasks:read,tasks:send,tasks:write",
    agent: Annotated[int | None, typer.Option(help="The only agent that it may use, by its integer.")] = None,
    name: Annotated[str, typer.Option(help="A note on what it is for.")] = "",
    per_minute: Annotated[
        int | None,
        typer.Option(min=0, help="Requests a minute; 0: any number.", show_default="BATON_REQUESTS_PER_MINUTE"),
    ] = None,
) -> None:
    """Make a key and print it: it is shown this once, the database keeps a digest."""
    try:
        chosen = tuple(Scope(scope.strip()) for scope in scopes.split(","))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scopes") from error
    print(asyncio.run(_create(tenant, chosen, agent, name, per_minute)))


async def _create(tenant: str, scopes: tuple[Scope, ...], agent: int | None, name: str, per_minute: int | None) -> str:
    from cli.configuration import settings_or_exit
    from domain.errors import DomainError
    from service.keys import create_key
    from store.pool import open_pool

    try:
        pool = await open_pool(settings_or_exit().dsn, min_size=0, max_size=1, application="baton keys")
        try:
            return await create_key(pool, tenant, scopes, agent_number=agent, name=name, per_minute=per_minute)
        finally:
            await pool.close()
    except DomainError as error:
        raise SystemExit(f"baton: {error.message}") from error
