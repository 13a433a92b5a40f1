"""Published packages in environments of their own: what cannot be in ours, since two versions of it are wanted."""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

#: What `make setup` fills, and what is fetched once is kept in.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "baton"
_SECONDS = 300


def python_with(package: str, version: str) -> Path:
    """A Python that has a package of the index, and what that needs, and nothing of ours.

    Made on first use in the cache that `make setup` fills, and kept there; who comes while it is made waits.
    """
    kind = f"{sys.implementation.name}-{platform.python_version()}"
    home = CACHE / "packages" / f"{package}-{version}-{kind}"
    home.parent.mkdir(parents=True, exist_ok=True)
    python, complete = home / "bin" / "python", home / ".complete"
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or not python.exists():
            shutil.rmtree(home, ignore_errors=True)
            _run("venv", "--python", sys.executable, str(home))
            _run("pip", "install", "--python", str(python), f"{package}=={version}")
            complete.touch()
    return python


def _run(*arguments: str) -> None:
    """Run uv: the one that `make setup` has fetched, else the one on the path."""
    fetched = CACHE / "uv" / "bin" / "uv"
    uv = str(fetched) if fetched.exists() else shutil.which("uv")
    assert uv is not None, "there is no uv: `make setup` fetches it"
    variables = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    }
    done = subprocess.run(
        [uv, *arguments], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_SECONDS
    )
    assert done.returncode == 0, f"uv {arguments[0]} failed:\n{done.stdout}"
