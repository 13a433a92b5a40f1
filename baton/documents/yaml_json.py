"""YAML with JSON's types alone: objects, lists, text, numbers, true, false and null.

Numbers are written as in JSON. So `010`, `1:30`, `0x1F`, `yes` and dates stay the text that they are, for in other
readings of YAML they are 8, 90, 31, true and no text at all. An alias may repeat a value, but not without bound.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from baton.domain.json import INT64_MAX, INT64_MIN, JsonValue, unstorable_text

YamlNode: TypeAlias = yaml.Node

_TAG: Final = "tag:yaml.org,2002:"
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
#: How many values aliases may repeat, all in all.
_MOST_REPEATED: Final = 10_000


@dataclass(frozen=True, slots=True)
class FileProblem:
    """Something that is wrong with a file. ``line`` counts from 1; None: with all of it."""

    line: int | None
    message: str


class Problems(Exception):
    """Everything that is wrong with a file."""

    def __init__(self, problems: list[FileProblem]) -> None:
        super().__init__(problems)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file holds, and where."""

    value: JsonValue
    root: YamlNode | None

    def line_of(self, path: tuple[str | int, ...]) -> int | None:
        """The line of what is at ``path``, or of the last thing on the way to it that is there."""
        node = self.root
        line = None if node is None else _line(node)
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            node, line = found
        return line


def parse(text: str) -> Parsed:
    """Read YAML. Raises Problems."""
    try:
        root = _Loader(text).get_single_node()
        reading = _Reading()
        value = None if root is None else reading.value(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise Problems([FileProblem(mark and mark.line + 1, str(error.problem or error))]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Problems([FileProblem(line, f"the character {chr(error.character)!a} may not stand in YAML")]) from error
    except RecursionError:
        raise Problems([FileProblem(None, "it is nested too deeply")]) from None
    if reading.problems:
        raise Problems(sorted(reading.problems, key=lambda problem: problem.line or 0))
    return Parsed(value, root)


def _rules() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """By the first character of a plain scalar, which types it may be of, and how these are written."""
    rules: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, pattern, first in (
        ("bool", "true|True|TRUE|false|False|FALSE", [*"tTfF"]),
        ("null", "null|Null|NULL|~|", [*"nN~", ""]),
        ("int", _INTEGER.pattern, [*"-0123456789"]),
        ("float", _NUMBER.pattern, [*"-0123456789"]),
        ("merge", "<<", ["<"]),
    ):
        for character in first:
            rules.setdefault(character, []).append((_TAG + kind, re.compile(rf"(?:{pattern})\Z")))
    return rules


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as JSON does."""

    yaml_implicit_resolvers = _rules()


class _Reading:
    """Makes values of nodes, and notes what cannot be one."""

    def __init__(self) -> None:
        self.problems: list[FileProblem] = []
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._repeated = 0

    def value(self, node: YamlNode) -> JsonValue:
        """The value; None where something is wrong with it. Raises Problems where aliases repeat too much."""
        if id(node) in self._seen:
            self._repeated += 1
            if self._repeated > _MOST_REPEATED:
                raise Problems([FileProblem(_line(node), f"aliases repeat more than {_MOST_REPEATED} values")])
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            return self._wrong(node, "an alias stands for something that it is a part of")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
                return self._mapping(node)
            if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
                return [self.value(item) for item in node.value]
            return self._wrong(node, _no_json(node))
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode) -> JsonValue:
        text: str = node.value
        match node.tag.removeprefix(_TAG):
            case "str" | "merge":
                if reason := unstorable_text(text):
                    return self._wrong(node, reason)
                return text
            case "null" | "bool" if text in _WORDS:
                return _WORDS[text]
            case "int" if _INTEGER.fullmatch(text):
                if len(text) > 20 or not INT64_MIN <= int(text) <= INT64_MAX:
                    return self._wrong(node, "a number is outside 64 bits")
                return int(text)
            case "float" if _NUMBER.fullmatch(text):
                number = float(text)
                return number if abs(number) != float("inf") else self._wrong(node, "a number is not finite")
            case _:
                return self._wrong(node, _no_json(node))

    def _mapping(self, node: yaml.MappingNode) -> dict[str, JsonValue]:
        """An object. What is merged into it with `<<` gives way to its own keys."""
        own: dict[str, JsonValue] = {}
        merged: dict[str, JsonValue] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "a key must be text")
            elif key.tag == _TAG + "merge":
                for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    mapping = self.value(one)
                    if isinstance(mapping, dict):
                        merged = mapping | merged
                    else:
                        self._wrong(one, "only an object can be merged")
            elif key.value in own:
                self._wrong(key, f"{key.value!r} is given twice")
            elif reason := unstorable_text(key.value):
                self._wrong(key, reason)
            else:
                own[key.value] = self.value(value)
        return merged | own

    def _wrong(self, node: YamlNode, message: str) -> None:
        problem = FileProblem(_line(node), message)
        if problem not in self.problems:
            self.problems.append(problem)


def _no_json(node: YamlNode) -> str:
    tag = node.tag.replace(_TAG, "!!")
    shown = f" {node.value!r}" if isinstance(node, yaml.ScalarNode) and len(node.value) < 40 else ""
    return f"{tag}{shown} is nothing that JSON has"


def _line(node: YamlNode) -> int:
    return node.start_mark.line + 1


def _step(node: YamlNode | None, step: str | int) -> tuple[YamlNode, int] | None:
    """What is below a node at ``step``, and its line."""
    if isinstance(node, yaml.MappingNode):
        pairs: list[tuple[Any, Any]] = node.value
        return next(((value, _line(key)) for key, value in pairs if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        item: Any = node.value[step]
        return item, _line(item)
    return None
