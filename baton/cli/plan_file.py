"""Reading the file of a plan, or of an agent: YAML or JSON."""

import sys
from pathlib import Path
from typing import Any, cast

import orjson
import yaml

from baton.client.errors import UsageError
from baton.client.schemas.base import Json
from baton.domain.json import unstorable


class _Loader(yaml.SafeLoader):
    """YAML with JSON's types alone: a date stays the text that was written, and a key may not be given twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own class attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Raises ConstructorError for a repeated key, which YAML would let win silently."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_plan(path: str) -> Json:
    """The plan in a file, see `read_object`."""
    return read_object(path, "plan", "an object with a title and tasks")


def read_object(path: str, what: str, shape: str = "an object") -> Json:
    """What a file holds, `-` for stdin: a JSON object, as it goes over the wire.

    Only reads: whether it makes sense, the server decides. Raises UsageError, which names the line.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read the {what} {path}: {reason}") from error
    held = _json(path, text) if path.endswith(".json") or text.lstrip().startswith("{") else _yaml(path, text)
    if not isinstance(held, dict):
        raise UsageError(f"{path} holds no {what}: it must be {shape}")
    document = cast("Json", held)
    if reason := unstorable(document):
        raise UsageError(f"{path}: {reason}")
    return document


def _json(path: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.msg}") from error


def _yaml(path: str, text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise UsageError(f"{path}{where}: {getattr(error, 'problem', None) or error}") from error
