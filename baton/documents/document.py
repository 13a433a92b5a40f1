"""Reading the file of a plan, or of an agent: YAML or JSON."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from baton.client.errors import Refused, UsageError
from baton.client.schemas.base import Json
from baton.documents.yaml_json import FileProblem, Parsed, Problems, parse
from baton.domain.json import unstorable

_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Document:
    """The object that a file holds, as it goes over the wire. ``name`` is what to call the file."""

    name: str
    text: str
    value: Json

    @contextmanager
    def located(self, *prefix: str) -> Generator[None]:
        """What the server refuses in here is told with the lines of the file.

        ``prefix`` is the path to the document in the request.
        """
        try:
            yield
        except Refused as refused:
            parsed = self._parsed()
            found = [FileProblem(self._line(parsed, where, prefix), message) for where, message in refused.problems]
            if not any(problem.line for problem in found):
                raise
            raise Refused(refused.status, refused.problem, _told(self.name, found)) from refused

    def _line(self, parsed: Parsed | None, where: tuple[str | int, ...], prefix: tuple[str, ...]) -> int | None:
        path = where[len(prefix) :]
        inside = where[: len(prefix)] == prefix and (not path or path[0] in self.value)
        return parsed.line_of(path) if parsed is not None and inside else None

    def _parsed(self) -> Parsed | None:
        """The file once more, with its lines: JSON is YAML, but for tabs."""
        try:
            return parse(self.text)
        except Problems:
            return None


NO_DOCUMENT: Final = Document("the command line", "", {})


def read_plan(path: str) -> Document:
    """The plan in a file, see `read_object`."""
    return read_object(path, "plan", "an object with a title and tasks")


def read_object(path: str, what: str, shape: str = "an object") -> Document:
    """What a file holds, `-` for stdin: a JSON object.

    Only reads: whether it makes sense, the server decides. Raises UsageError, which names all lines that are wrong.
    """
    try:
        text = (sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()).decode().removeprefix(_BOM)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read the {what} {path}: {reason}") from error
    name = "stdin" if path == "-" else path
    try:
        held = _json(text) if path.endswith(".json") or text.lstrip().startswith("{") else parse(text).value
    except Problems as error:
        raise UsageError(_told(name, error.problems)) from error
    if not isinstance(held, dict):
        raise UsageError(f"{name} holds no {what}: it must be {shape}")
    document = cast("Json", held)
    if reason := unstorable(document):
        raise UsageError(f"{name}: {reason}")
    return Document(name, text, document)


def _json(text: str) -> Any:
    """The value. Strict, as the server is. Raises Problems."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise Problems([FileProblem(error.lineno, error.msg)]) from error
    except ValueError as error:
        raise Problems([FileProblem(None, str(error))]) from error
    except RecursionError:
        raise Problems([FileProblem(None, "it is nested too deeply")]) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for key, value in pairs:
        if key in held:
            raise ValueError(f"{key!r} is given twice")
        held[key] = value
    return held


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _told(name: str, problems: list[FileProblem]) -> str:
    return "\n".join(f"{name}{f', line {one.line}' if one.line else ''}: {one.message}" for one in problems)
