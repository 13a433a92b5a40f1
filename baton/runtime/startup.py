"""What a process needs before it starts: its own modules and its settings, or a line that says what is wrong."""

import sys

from pydantic import ValidationError

from baton.runtime.installation import missing, shadowed
from baton.settings import Settings, load_settings


def settings_or_exit() -> Settings:
    """The settings; ends the process with code 2 and one line per variable that cannot be read. Values are not shown:
    some are secret."""
    try:
        return load_settings()
    except ValidationError as error:
        wrong = [f"  {'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" for problem in error.errors()]
        print("baton: settings that cannot be read (names without BATON_):", *wrong, sep="\n", file=sys.stderr)
        raise SystemExit(2) from None


def exit_if_shadowed() -> None:
    """End the process with code 2 if Python would import somebody else's modules for Baton's."""
    if line := shadowed():
        print(f"baton: {line}", file=sys.stderr)
        raise SystemExit(2)


def exit_if_missing(extra: str, *modules: str) -> None:
    """End the process with code 2 if not all ``modules`` of an extra of the package are installed."""
    if line := missing(extra, *modules):
        print(f"baton: {line}", file=sys.stderr)
        raise SystemExit(2)
