"""Which code runs here: a name for it that costs little to find."""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from baton.runtime.installation import ROOT

#: Where the code is that decides what a worker does.
_SOURCES: Final = ("activities", "baton", "workflows")


def build_id() -> str:
    """Baton's version and a digest of the source that it runs from, e.g. `0.1.0+5f1c0c6d2a9b`.

    Other packages and a deployer's own tools are not in it: whoever changes those sets `BATON_BUILD_ID`. (The SDK's
    default reads the bytecode of every module that is loaded: seconds of a start.)
    """
    digest = hashlib.sha256()
    files = [ROOT / "worker.py", *(file for name in _SOURCES for file in (ROOT / name).rglob("*"))]
    for file in sorted(files):
        if file.suffix in (".py", ".sql"):
            digest.update(f"{file.relative_to(ROOT)}\0".encode())
            digest.update(file.read_bytes())
    return f"{_version()}+{digest.hexdigest()[:12]}"


def _version() -> str:
    try:
        return version("baton")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
