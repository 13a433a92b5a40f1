"""`baton verify` as a process."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from baton.verify.findings import Category
from tests.support.environment import without_settings

_ROOT: Final = Path(__file__).resolve().parents[2]

#: The figures of a stack that keeps its promises.
CLEAN: Final = {category.value: 0 for category in Category}


async def verify(*arguments: str, directory: Path) -> dict[str, Any]:
    """Run it; its report, with the exit code. What it keeps of a run that was not clean is in ``directory``."""
    variables = without_settings()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "baton.cli", "verify", "--json", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env=variables | {"TMPDIR": str(directory)},
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    assert out, f"baton verify ended with {process.returncode}:\n{err.decode()}"
    return json.loads(out) | {"exit_code": process.returncode, "said": err.decode()}


def figures(report: dict[str, Any]) -> dict[str, int]:
    """The figures that must be zero."""
    return {name: report[name] for name in CLEAN}
