"""`baton export`: an execution as JSON lines, to be kept elsewhere."""

import sys
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from baton.cli.options import KeyOption, UrlOption, call
from baton.client.address import find_execution
from baton.client.errors import UsageError
from baton.client.export import export as lines_of
from baton.client.http import Client
from baton.runtime.terminal import harmless_json


def export(
    what: Annotated[str, typer.Argument(metavar="EXECUTION", help="The execution's id, or that of a task in it.")],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file, once the export is whole.")
    ] = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Write an execution, its messages and its log as JSON lines.

    Fails if lines are missing: the last one says how many there are.
    """

    async def command(client: Client) -> int:
        execution, _ = await find_execution(client, what)
        if output is None:
            await _write(client, str(execution.id), sys.stdout.buffer)
            return 0
        part = output.with_name(f"{output.name}.part")
        try:
            with part.open("wb") as file:
                await _write(client, str(execution.id), file)
            part.replace(output)
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror}") from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return 0

    call(url, key, command)


async def _write(client: Client, execution_id: str, file: BinaryIO) -> None:
    async with aclosing(lines_of(client, execution_id)) as lines:
        async for line in lines:
            file.write(harmless_json(line.decode()).encode())
    file.flush()
