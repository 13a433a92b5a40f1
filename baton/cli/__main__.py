"""Where `baton` and `python -m baton.cli` begin: with a look whether what the command line needs is installed."""

import sys
from importlib.util import find_spec
from typing import Final, NoReturn

#: What the extra `cli` brings.
NEEDED: Final = ("prompt_toolkit", "rich", "typer", "yaml")


def main() -> NoReturn:
    """Run the command line; ends with one line that says what to install where it is not there."""
    if any(find_spec(name) is None for name in NEEDED):
        sys.exit("baton: the command line needs packages that are not installed: pip install 'baton[cli]'")
    from baton.cli.main import run

    run()


if __name__ == "__main__":
    main()
