"""`baton prune`: beside the database, as whoever runs Baton."""

from typing import Annotated, Any

import typer

from baton.domain.ages import read_age
from baton.runtime.terminal import print_text


def prune(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="What to remove: 30d, 12h, 2w.")],
    tenant: Annotated[str | None, typer.Option(help="This tenant alone.", show_default="all")] = None,
    deltas_only: Annotated[bool, typer.Option("--deltas-only", help="Remove no executions.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be removed.")] = False,
    batch: Annotated[int, typer.Option(min=1, max=100_000, help="Events per transaction.")] = 1000,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between transactions, at least.")] = 0.05,
) -> None:
    """Remove finished executions, and deltas, by age.

    Deltas of finished steps go: the log has their text once more. Safe to interrupt and to repeat, also
    while Baton runs. See docs/runbooks/prune.md.
    """
    from baton.service.beside import run_beside
    from baton.service.pruning import Keep, Pruner, prune_tenants

    try:
        age = read_age(older_than)
        keep = Keep(deltas=age, executions=None if deltas_only else age)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--older-than") from error

    async def command(pool: Any) -> None:
        async for name, line in prune_tenants(Pruner(pool, keep, batch, pause, dry_run), tenant):
            print_text(f"{name}: {line}")

    run_beside("baton prune", command)
