"""Where this Baton is installed, and whether Python finds all of it there."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

#: The directory that holds Baton's top-level names: site-packages, or a checkout.
ROOT: Final = Path(__file__).resolve().parents[2]

#: What stands beside `baton` there. Names that an application of its own might use, too.
_BESIDE: Final = ("api", "workflows", "activities", "worker")


def baton_command(*arguments: str) -> list[str]:
    """The command line that runs `baton` with this interpreter, whatever lies in the working directory."""
    return [sys.executable, "-P", "-m", "baton.cli", *arguments]


def worker_command() -> list[str]:
    """The command line that runs this installation's worker."""
    return [sys.executable, str(ROOT / "worker.py")]


def shadowed() -> str | None:
    """One line that names the first module of somebody else that Python would import instead of ours; None if none."""
    for name in _BESIDE:
        spec = find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if found is None or found not in (ROOT / f"{name}.py", ROOT / name / "__init__.py"):
            where = found or "nowhere"
            return (
                f"the module {name!r} was found at {where}, not in {ROOT}: rename yours, or take its directory off "
                "PYTHONPATH"
            )
    return None


def missing(extra: str, *modules: str) -> str | None:
    """One line that says to install an ``extra`` if not all ``modules`` that it brings are there; None if they are."""
    if all(find_spec(name) is not None for name in modules):
        return None
    return f"this needs packages that are not installed: pip install 'baton[{extra}]'"
