"""What is printed for people and programs: nothing that others wrote may command the terminal."""

import re
import sys
from typing import Any, Final

import orjson

#: C1 controls and DEL, and the marks that turn the direction of text or isolate it.
_C1_AND_BIDI: Final = "\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
#: Those, and all C0 controls but newline and tab.
_OBEYED: Final = re.compile(f"[\x00-\x08\x0b-\x1f{_C1_AND_BIDI}]")
_OBEYED_IN_JSON: Final = re.compile(f"[{_C1_AND_BIDI}]")


def harmless(text: str) -> str:
    """``text`` without anything that a terminal would obey. Newlines stay; tabs become spaces."""
    return _OBEYED.sub("", text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4))


def one_line(text: str) -> str:
    """``text`` harmless and on one line."""
    return " ".join(harmless(text).split())


def harmless_json(raw: str) -> str:
    """JSON with those characters escaped that it allows to stand as they are and that terminals obey."""
    return _OBEYED_IN_JSON.sub(lambda character: f"\\u{ord(character[0]):04x}", raw)


def print_text(text: str, *, end: str = "\n") -> None:
    """Print a result."""
    print(harmless(text), end=end, flush=True)


def print_json(value: Any, *, indent: bool = True) -> None:
    """Print ``value`` as JSON; without ``indent`` on one line."""
    print_raw_json(orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None).decode())


def print_raw_json(raw: str) -> None:
    """Print JSON as it came."""
    print(harmless_json(raw), flush=True)


def say(text: str) -> None:
    """Tell on stderr what is going on."""
    print(harmless(text), file=sys.stderr, flush=True)


def print_error(text: str) -> None:
    """Tell on stderr what went wrong, each line in the name of the program."""
    say("\n".join(f"baton: {line}" for line in text.split("\n")))
