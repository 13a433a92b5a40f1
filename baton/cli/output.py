"""What the commands print."""

import sys
from typing import Any

import orjson

from baton.cli.view.texts import harmless, printable_json


def print_text(text: str) -> None:
    """Print a text for people."""
    print(harmless(text), flush=True)


def print_error(text: str) -> None:
    """Say on stderr what went wrong, or may be meant otherwise; in the name of the program."""
    print(f"baton: {harmless(text)}".replace("\n", "\nbaton: "), file=sys.stderr, flush=True)


def print_json(value: Any, *, indent: bool = True) -> None:
    """Print ``value`` as JSON; without ``indent`` on one line."""
    print(printable_json(orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None).decode()), flush=True)
