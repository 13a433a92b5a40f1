"""`baton migrate`."""

import asyncio
from typing import Annotated

import typer

from baton.domain.errors import Unavailable
from baton.domain.faults import FAULTS
from baton.runtime.terminal import print_text


def migrate(
    temporal: Annotated[
        bool,
        typer.Option(help="Also create Temporal's namespace (TEMPORAL_…) and its search attributes."),
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for servers that are not up yet.")] = 0.0,
) -> None:
    """Migrate the database (DATABASE_URL) to the current schema.

    Safe to repeat, also while Baton runs.
    """
    asyncio.run(_migrate(temporal, wait))


async def _migrate(temporal: bool, wait: float) -> None:
    from baton.runtime.startup import settings_or_exit
    from baton.store.connecting import AWAY
    from baton.store.migrate import SchemaRefused, SchemaTooOld
    from baton.store.migrate import migrate as bring_up_to_date

    deadline = asyncio.get_running_loop().time() + wait
    dsn = settings_or_exit().dsn
    while True:
        try:
            ran = await bring_up_to_date(dsn)
            break
        except SchemaTooOld as error:
            raise SystemExit(f"baton: {error}. Use a new, empty database; this one was left as it is.") from error
        except SchemaRefused as error:
            raise SystemExit(f"baton: {error}. The database was left as it is.") from error
        except Unavailable as error:
            _end_unless_it_passes(error, deadline)
        except AWAY as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise SystemExit(f"baton: the database went away: {error}") from error
        await asyncio.sleep(0.5)
    print_text("\n".join(ran) if ran else "The schema is up to date.")
    if temporal:
        await _prepare_temporal(deadline)


async def _prepare_temporal(deadline: float) -> None:
    from temporalio.service import RPCError

    from baton.service.namespace import SEARCH_ATTRIBUTES, ensure_namespace, register_search_attributes
    from baton.service.temporal import connect

    while True:
        try:
            client = await connect()
            await ensure_namespace(client)
            await register_search_attributes(client)
            break
        except Unavailable as error:
            _end_unless_it_passes(error, deadline)
        except (RPCError, TimeoutError) as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise SystemExit(f"baton: Temporal cannot be prepared: {error}") from error
        await asyncio.sleep(0.5)
    print_text(f"Temporal's namespace {client.namespace!r} knows {', '.join(SEARCH_ATTRIBUTES)}.")


def _end_unless_it_passes(error: Unavailable, deadline: float) -> None:
    from baton.runtime.startup import exit_for

    if not FAULTS[error.fault].passes or asyncio.get_running_loop().time() >= deadline:
        exit_for(error.fault, error.message)
