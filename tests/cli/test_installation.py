"""Does a process find all of Baton, and only Baton, where it is installed, and say so in one line if not?"""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

from baton.cli.__main__ import NEEDED
from baton.runtime.installation import ROOT, baton_command, worker_command

_FOREIGN: Final = "raise SystemExit('somebody else was imported')\n"
_BESIDE: Final = ("api", "workflows", "activities", "worker")


def run(
    *command: str, directory: Path | None = None, python_path: Path | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, in ``directory``."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    if python_path is not None:
        environment["PYTHONPATH"] = str(python_path)
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A directory of an application with modules that are called as some of ours are."""
    for name in _BESIDE:
        (tmp_path / f"{name}.py").write_text(_FOREIGN)
    return tmp_path


@pytest.mark.parametrize("command", ["api", "worker"])
@pytest.mark.parametrize("name", _BESIDE)
def test_somebody_elses_module_that_is_found_first_is_named(command: str, name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(_FOREIGN)
    ran = run(sys.executable, "-P", "-m", "baton.cli", command, python_path=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"baton: the module '{name}' was found at {tmp_path / name}.py, not in {ROOT}: rename yours, or take its "
        "directory off PYTHONPATH\n"
    )


def test_a_package_of_somebody_else_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "__init__.py").write_text(_FOREIGN)
    ran = run(sys.executable, "-P", "-m", "baton.cli", "worker", python_path=tmp_path)
    assert (ran.returncode, str(tmp_path / "workflows" / "__init__.py") in ran.stderr) == (2, True)


@pytest.mark.parametrize("command", [baton_command("api"), worker_command()], ids=["api", "worker"])
def test_what_lies_in_the_working_directory_does_not_count(command: list[str], foreign: Path) -> None:
    """So the local stack starts them, wherever somebody stands. All is imported when the settings are read."""
    ran = run(*command, directory=foreign, BATON_PORT="eighty")
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("baton: settings that cannot be read: BATON_PORT: ")


def without(missing: str, *arguments: str, redis_url: str = "") -> "subprocess.CompletedProcess[str]":
    """Run `baton` where a package is not installed."""
    script = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[1:] = {list(arguments)};"
        "from baton.cli.__main__ import main; main()"
    )
    return run(sys.executable, "-c", script, directory=ROOT, BATON_REDIS_URL=redis_url)


@pytest.mark.parametrize("package", NEEDED)
def test_the_command_line_says_what_to_install(package: str) -> None:
    ran = without(package, "--help")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "baton: this needs packages that are not installed: pip install 'baton[cli]'\n"


def test_the_api_says_what_to_install_to_count_in_redis() -> None:
    ran = without("redis", "api", "--port", "0", redis_url="redis://127.0.0.1:9")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "baton: this needs packages that are not installed: pip install 'baton[redis]'\n"


def test_the_extra_brings_what_the_command_line_looks_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    brought = {packages_distributions()[name][0].lower().replace("_", "-") for name in NEEDED}
    assert brought == {need.partition(">")[0] for need in extras["cli"]}


def test_importing_baton_costs_nothing() -> None:
    script = "import sys, baton; print(sorted({'httpx', 'pydantic_ai', 'pydantic', 'temporalio'} & set(sys.modules)))"
    assert run(sys.executable, "-c", script, directory=ROOT).stdout == "[]\n"
