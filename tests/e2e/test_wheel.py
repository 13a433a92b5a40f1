"""Does the built wheel work in an environment of its own, beside the OpenAI Agents SDK and somebody's own modules?

Needs the package index, like `make setup`: what that has not fetched yet is fetched here.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.frames import frames
from tests.support.stack import running_stack

pytestmark = pytest.mark.timeout(400)

_ROOT: Final = Path(__file__).resolve().parents[2]
_TOP_LEVEL: Final = {"baton", "api", "workflows", "activities", "worker.py"}
_TOOLS: Final = '''
from baton import ToolFailed, current_call, tool


@tool(changes_things=False)
def shout(text: str) -> str:
    """Say it louder."""
    if not text:
        raise ToolFailed("nothing", "There is nothing to shout.")
    return f"{text.upper()}! ({'called' if current_call().key else 'never'})"
'''


def _uv() -> str:
    """The uv that the Makefile has fetched, else one on PATH."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "baton/uv/bin/uv")
    found = str(cached) if cached.exists() else shutil.which("uv")
    assert found, "run `make setup`"
    return found


def _environment() -> dict[str, str]:
    """Ours, without what says where Python's modules are, and without Baton's settings."""
    ours = ("BATON_", "TEMPORAL_", "PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _run(*command: str | Path, directory: Path | None = None, **variables: str) -> str:
    """What a command writes; it must succeed."""
    ran = subprocess.run(
        [*map(str, command)], cwd=directory, env=_environment() | variables, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    into = tmp_path_factory.mktemp("wheel")
    _run(_uv(), "build", "--quiet", "--wheel", "--out-dir", into, _ROOT)
    (built,) = into.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel and the OpenAI Agents SDK."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    _run(_uv(), "venv", "--quiet", "--python", sys.executable, venv)
    _run(_uv(), "pip", "install", "--quiet", "--python", venv / "bin/python", f"{wheel}[dev]", "openai-agents")
    return venv / "bin"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A working directory with a tool module, and with modules that are called as some of ours are."""
    directory = tmp_path / "application"
    directory.mkdir()
    (directory / "mytools.py").write_text(_TOOLS)
    for name in ("api", "workflows", "activities", "worker", "agents"):
        (directory / f"{name}.py").write_text("raise SystemExit('somebody else was imported')\n")
    return directory


def test_it_takes_five_names_at_the_top_of_site_packages(wheel: Path) -> None:
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == _TOP_LEVEL


def test_agents_is_the_sdks(bin: Path, tmp_path: Path) -> None:
    script = (
        "from agents import Agent; from agents.models.interface import Model; import agents, importlib.metadata;"
        "print(Agent.__module__.split('.')[0], importlib.metadata.packages_distributions()['agents'])"
    )
    assert _run(bin / "python", "-c", script, directory=tmp_path) == "agents ['openai-agents']\n"


def test_what_others_import_is_there_and_costs_nothing_before(bin: Path, tmp_path: Path) -> None:
    script = (
        "import sys, baton; print({'httpx', 'pydantic_ai'} & set(sys.modules));"
        "from baton import Client, ToolFailed, current_call, tool;"
        "print([thing.__module__.partition('.')[0] for thing in (Client, ToolFailed, current_call, tool)])"
    )
    assert _run(bin / "python", "-c", script, directory=tmp_path) == "set()\n['baton', 'baton', 'baton', 'baton']\n"


def test_baton_dev_plays_the_demo(bin: Path, directory: Path, tmp_path: Path) -> None:
    said = _run(
        *(bin / "baton", "dev", "--no-stay", "--port", "0", "--data", tmp_path / "data"),
        directory=directory,
        BATON_TOOLS_MODULES='["mytools"]',
    )
    assert "succeeded" in said


async def test_an_agent_uses_a_tool_of_the_working_directory(bin: Path, directory: Path, tmp_path: Path) -> None:
    async with (
        running_stack(
            tmp_path / "data",
            environment={"BATON_TOOLS_MODULES": '["mytools"]'},
            baton=[str(bin / "baton")],
            directory=directory,
        ) as stack,
        stack.client() as http,
    ):
        agent = {"name": "loud", "model": "scripted", "tools": ["shout"]}
        assert (await http.post("/baton/v1/agents", json=agent)).status_code == 201
        prompt = f"!tool shout {json.dumps({'text': 'hello'})}"
        started = await http.post("/baton/v1/executions", json={"prompt": prompt, "agent": "loud"})
        assert started.status_code == 201, started.text
        execution = started.json()["id"]
        assert await _tool_results(http, execution) == ["HELLO! (called)"]


async def _tool_results(http: httpx.AsyncClient, execution: str) -> list[Any]:
    """What the tools of an execution gave; it succeeds."""
    async with asyncio.timeout(60), frames(http, f"/baton/v1/executions/{execution}/events") as stream:
        seen = [frame async for frame in stream]
    assert seen[-1].data == {"execution_state": "succeeded"}
    return [frame.data["data"]["content"] for frame in seen if frame.event == "tool.completed"]
