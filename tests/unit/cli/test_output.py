"""Does what others wrote reach the terminal as text, and as nothing else?"""

import ast
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from rich import box
from rich.panel import Panel
from rich.table import Table

from baton.cli.commands.agents import agents_table
from baton.cli.view.key_list import key_table
from baton.client.errors import Refused
from baton.client.schemas.agents import WholeAgent
from baton.domain.agents import Scope
from baton.domain.ids import TenantId
from baton.domain.keys import Key
from baton.domain.states import SendMode
from baton.runtime.console import console
from baton.runtime.terminal import harmless, print_error, print_json, print_text, say
from tests.support.hostile_text import COMMANDS, MARKUP
from tests.support.source import parsed

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TENANT: TenantId = UUID(int=3)


def _shown(capsys: pytest.CaptureFixture[str], *printed: object) -> str:
    out = console(200)
    for one in printed:
        out.print(one)
    return capsys.readouterr().out


def test_names_of_agents_and_keys_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    agent = WholeAgent(
        id=UUID(int=1),
        number=1,
        name=MARKUP,
        model=f"m{COMMANDS}",
        instructions="",
        tools=[MARKUP],
        policies={},
        limits={},
        mode=SendMode.QUEUE,
        is_default=False,
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    key = Key(TENANT, "t", UUID(int=2), MARKUP + COMMANDS, frozenset(Scope), None, None, None, NOW, None, None, None)
    for table in (agents_table([agent]), key_table([key])):
        shown = _shown(capsys, table)
        assert MARKUP in shown
        assert harmless(shown) == shown


def test_whatever_rich_is_given_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(MARKUP, box=box.SIMPLE_HEAD, title=MARKUP, caption=MARKUP)
    table.add_row(MARKUP + COMMANDS)
    shown = _shown(capsys, MARKUP + COMMANDS, table, Panel(MARKUP + COMMANDS))
    assert shown.count(MARKUP) == 6
    assert harmless(shown) == shown


def test_lines_and_json_command_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    refused = Refused(409, {"detail": f"no{COMMANDS}", "problems": [{"where": [COMMANDS], "message": COMMANDS}]})
    print_error(refused.message)
    say(COMMANDS)
    print_text(COMMANDS)
    print_json({"a": COMMANDS})
    out, err = capsys.readouterr()
    assert harmless(out + err) == out + err
    assert json.loads(out.splitlines()[-2].partition(":")[2]) == COMMANDS  # what JSON says is what it said


def test_nothing_else_makes_a_console() -> None:
    """Ruff's T201 forbids `print`; this, a console that knows markup."""
    rooms = [ROOT / "baton" / room for room in ("cli", "localstack", "verify", "client")]
    calls = [
        (file, node)
        for file in (path for room in rooms for path in room.rglob("*.py"))
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Call)
    ]
    assert len(calls) > 1000
    for file, node in calls:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        assert name not in ("Console", "from_markup", "rprint"), f"{file}:{node.lineno}"
        if name == "Panel":  # whose titles are markup on every console
            titles = [word.value for word in node.keywords if word.arg in ("title", "subtitle")]
            assert all(isinstance(title, ast.Constant) for title in titles), f"{file}:{node.lineno}"
