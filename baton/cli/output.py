"""What the commands print."""

from typing import Any

import orjson

from baton.cli.view.texts import printable_json


def print_json(value: Any, *, indent: bool = True) -> None:
    """Print ``value`` as JSON; without ``indent`` on one line."""
    print(printable_json(orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None).decode()), flush=True)
