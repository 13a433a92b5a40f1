"""The grammar of the scripted model: one line, one directive.

Pure and total: a line that cannot be obeyed becomes a line of text that says why.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic_core import from_json

from baton.domain.json import JsonObject, JsonValue

MARK: Final = "!"
MAX_SLEEP_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Say:
    """Say ``text``."""

    text: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Say ``tokens`` different tokens, one after the other."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Call:
    """Call a tool: the response ends with it."""

    tool: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do nothing for a while, inside the step."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Results:
    """Say what the task's dependencies came to."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Fail the step's first ``attempts`` attempts."""

    attempts: int
    text: str


@dataclass(frozen=True, slots=True)
class Fatal:
    """Fail the step for good."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Say ``text`` and end the response."""

    text: str


Directive: TypeAlias = Say | Stream | Call | Sleep | Results | Fail | Fatal | Finish


def directive_lines(text: str) -> list[str]:
    """The lines of ``text`` that begin with `!`, in order."""
    if MARK not in text:
        return []
    return [line.removesuffix("\r") for line in text.split("\n") if line.startswith(MARK)]


def parse(line: str) -> Directive:
    """The directive in ``line``, which begins with `!`."""
    word = (line.removeprefix(MARK).split(maxsplit=1) or [""])[0] if not line[1:2].isspace() else ""
    reader = _READERS.get(word)
    if reader is None:
        return Say(f"{MARK}{word}: unknown directive")
    try:
        return reader(line[len(MARK) + len(word) :].strip())
    except _Malformed as error:
        return Say(f"{MARK}{word}: {error}")


def fails_by_intent(line: str) -> bool:
    """Whether ``line`` is a well-formed `!fail` or `!fatal`."""
    return line.startswith(("!fail", "!fatal")) and isinstance(parse(line), Fail | Fatal)


def ends_response(line: str) -> bool:
    """Whether a response ends with ``line``, what is left waiting for the next."""
    return line.startswith(("!tool", "!ask", "!finish")) and isinstance(parse(line), Call | Finish)


class _Malformed(Exception):
    """Says what is wrong with a directive's argument."""


def _text(rest: str) -> str:
    if not rest:
        raise _Malformed("text is missing")
    return rest


def _stream(rest: str) -> Stream:
    return Stream(_count(rest))


def _sleep(rest: str) -> Sleep:
    try:
        seconds = float(rest)
    except ValueError:
        raise _Malformed("needs a number of seconds") from None
    if not math.isfinite(seconds) or not 0 <= seconds <= MAX_SLEEP_SECONDS:
        raise _Malformed(f"needs a number of seconds from 0 to {MAX_SLEEP_SECONDS:.0f}")
    return Sleep(seconds)


def _fail(rest: str) -> Fail:
    number, _, text = rest.partition(" ")
    return Fail(_count(number), text)


def _ask(rest: str) -> Call:
    if not rest.startswith("{"):
        return Call("ask_user", {"question": _text(rest)})
    arguments = _object(rest)
    if not isinstance(arguments.get("question"), str):
        raise _Malformed('needs a "question"')
    return Call("ask_user", arguments)


def _tool(rest: str) -> Call:
    name, _, arguments = rest.partition(" ")
    if not name or name.startswith("{"):
        raise _Malformed("needs the name of a tool")
    return Call(name, _object(arguments) if arguments.strip() else {})


def _results(rest: str) -> Results:
    if rest:
        raise _Malformed("takes no argument")
    return Results()


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < 0:
        raise _Malformed("needs a whole number")
    return count


def _object(text: str) -> JsonObject:
    try:
        value: JsonValue = from_json(text, allow_inf_nan=False)
    except ValueError:
        raise _Malformed("not valid JSON") from None
    if not isinstance(value, dict):
        raise _Malformed("needs a JSON object")
    return value


_READERS: Final[dict[str, Callable[[str], Directive]]] = {
    "say": lambda rest: Say(_text(rest)),
    "stream": _stream,
    "ask": _ask,
    "tool": _tool,
    "sleep": _sleep,
    "results": _results,
    "fail": _fail,
    "fatal": Fatal,
    "finish": Finish,
}
