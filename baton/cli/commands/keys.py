"""`baton keys …`: beside the database, as whoever runs Baton; `/baton/v1/keys` is for those who have a key."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from baton.domain.agents import Scope
from baton.runtime.terminal import print_raw_json, print_text

keys = typer.Typer(help="Manage API keys.", no_args_is_help=True)
T = TypeVar("T")

TenantOption = Annotated[str, typer.Option(help="The tenant.")]


@keys.callback()
def _keys() -> None:
    """Manage API keys."""


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(help="The key's tenant, created if it does not exist.")],
    scopes: Annotated[
        str, typer.Option(help=f"Scopes, separated by commas: {', '.join(Scope)}.")
    ] = "tasks:read,tasks:send,tasks:write",
    agent: Annotated[int | None, typer.Option(help="Restrict the key to this agent, by its number.")] = None,
    name: Annotated[str, typer.Option(help="A note on what the key is for.")] = "",
    per_minute: Annotated[
        int | None,
        typer.Option(min=0, help="Requests per minute; 0 for no limit.", show_default="BATON_REQUESTS_PER_MINUTE"),
    ] = None,
    days: Annotated[float | None, typer.Option(help="How long the key is valid.", show_default="for ever")] = None,
) -> None:
    """Create a key and print it.

    It is shown only once: the database keeps a digest.
    """
    try:
        chosen = tuple(Scope.named(scope.strip()) for scope in scopes.split(","))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scopes") from error
    try:
        lasting = None if days is None else timedelta(days=days)
    except (OverflowError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--days") from error

    async def command(pool: Any) -> str:
        from baton.service.keys import Beside, NewKey, create_key
        from baton.service.tenants import ensure_tenant, operator

        new = NewKey(chosen, name, lasting, per_minute)
        await ensure_tenant(pool, tenant)
        _, text = await create_key(Beside(pool), await operator(pool, tenant), new, agent)
        return text

    print_text(_run(command))


@keys.command("list")
def list_(
    tenant: TenantOption,
    json: Annotated[bool, typer.Option("--json", help="Print the keys as a JSON array.")] = False,
) -> None:
    """List a tenant's keys, without their secrets."""

    async def command(pool: Any) -> Any:
        from baton.service.keys import Beside, list_keys
        from baton.service.tenants import operator

        return (await list_keys(Beside(pool), await operator(pool, tenant))).items

    from baton.cli.view.key_list import key_table, keys_json
    from baton.runtime.console import console

    found = _run(command)
    if json:
        print_raw_json(keys_json(found))
    else:
        console().print(key_table(found))


@keys.command()
def revoke(
    key: Annotated[UUID, typer.Argument(metavar="KEY", help="The key's id, as `baton keys list` shows it.")],
    tenant: TenantOption,
) -> None:
    """Revoke a key. It stops working within seconds.

    Safe to repeat.
    """

    async def command(pool: Any) -> None:
        from baton.service.keys import Beside, revoke_key
        from baton.service.tenants import operator

        await revoke_key(Beside(pool), await operator(pool, tenant), key)

    _run(command)
    print_text(f"Revoked: {key}.")


def _run(command: Callable[[Any], Awaitable[T]]) -> T:
    from baton.service.beside import run_beside

    return run_beside("baton keys", command)
