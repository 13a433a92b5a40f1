"""Where `baton` and `python -m baton.cli` begin: with a look whether what the command line needs is installed."""

import sys
from typing import Final, NoReturn

from baton.runtime.installation import missing
from baton.runtime.terminal import print_error

#: What the extra `cli` brings.
NEEDED: Final = ("prompt_toolkit", "rich", "typer", "yaml")


def main() -> NoReturn:
    """Run the command line; ends with one line that says what to install where it is not there."""
    if line := missing("cli", *NEEDED):
        print_error(line)
        sys.exit(2)
    try:
        from baton.cli.main import run

        run()
    except KeyboardInterrupt:  # typed before the command had begun
        sys.exit(130)


if __name__ == "__main__":
    main()
