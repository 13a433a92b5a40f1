"""`baton doctor`."""

import asyncio
from textwrap import wrap
from typing import Annotated

import typer

from baton.cli.options import UrlOption
from baton.domain.health import Check, CheckStatus
from baton.runtime.terminal import print_json, print_text


def doctor(
    url: UrlOption = None,
    worker: Annotated[list[str] | None, typer.Option(metavar="URL", help="A worker's port, to ask it, too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check an installation, and say what to do about what is wrong.

    By the settings of API and worker. Exits with 1 if something has failed.
    """
    from baton.runtime.startup import settings_or_exit
    from baton.service.doctor import diagnose

    checks = asyncio.run(diagnose(settings_or_exit(), url, worker or ()))
    if json:
        print_json([check.as_json(said=True) for check in checks])
    else:
        print_text("\n".join(line for check in checks for line in _lines(check)))
    raise typer.Exit(any(check.status is CheckStatus.FAILED for check in checks))


def _lines(check: Check) -> list[str]:
    said = f"it said: {check.said}" if check.said else ""
    told = [*wrap(check.reason, 70), *wrap(said, 70), *wrap(f"→ {check.remedy}" if check.remedy else "", 70)]
    return [f"{check.status:<8}  {check.name}", *(f"{'':10}{line}" for line in told)]
