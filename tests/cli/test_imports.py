"""Does a command import what it uses, and nothing else?"""

import asyncio
import sys
from typing import Final

import pytest

from tests.cli.conftest import ROOT

#: What costs more than a command may take to start.
_HEAVY: Final = (
    "temporalio",
    "asyncpg",
    "pydantic_ai",
    "fastapi",
    "uvicorn",
    "openai",
    "anthropic",
    "baton.settings",
)
_DRAWN: Final = ("run", "watch", "inbox")


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (["baton.cli.main", "baton.cli.commands.send"], [*_HEAVY, "rich"]),
        (["baton.client.schemas.executions"], [*_HEAVY, "rich", "httpx"]),
        (["baton.cli.main", *(f"baton.cli.commands.{name}" for name in _DRAWN), "baton.cli.demo"], _HEAVY),
    ],
    ids=["send", "schemas", "drawn"],
)
async def test_the_client_is_light(modules: list[str], heavy: list[str]) -> None:
    """`baton send` is typed in loops: it must not wait for what it does not use."""
    script = f"import sys, {', '.join(modules)}; print([name for name in {list(heavy)} if name in sys.modules])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.decode().strip() == "[]"


async def test_ctrl_c_while_it_is_imported_is_no_traceback() -> None:
    script = """
import sys
class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == "baton.cli.commands.send":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
sys.argv = ["baton", "send"]
from baton.cli.__main__ import main
main()
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 130
