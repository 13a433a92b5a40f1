"""What a terminal sends when keys are pressed, as keys. Pure."""

import codecs
import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Key:
    """A key by what it does: `text` and `paste` carry what was typed, all others are a name alone."""

    name: str
    text: str = ""


_CONTROL: Final = {
    "\r": "enter",
    "\n": "enter",
    "\t": "next",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x01": "home",
    "\x02": "left",
    "\x04": "end-of-input",
    "\x05": "end",
    "\x06": "right",
    "\x0b": "cut-rest",
    "\x0c": "redraw",
    "\x0e": "down",
    "\x10": "up",
    "\x15": "cut-line",
    "\x17": "cut-word",
}
_ESCAPED: Final = {
    "[A": "up",
    "[B": "down",
    "[C": "right",
    "[D": "left",
    "[H": "home",
    "[F": "end",
    "[1~": "home",
    "[7~": "home",
    "[4~": "end",
    "[8~": "end",
    "[3~": "delete",
    "[Z": "previous",
    "[1;5C": "word-right",
    "[1;3C": "word-right",
    "[1;5D": "word-left",
    "[1;3D": "word-left",
    "OA": "up",
    "OB": "down",
    "OC": "right",
    "OD": "left",
    "OH": "home",
    "OF": "end",
    "b": "word-left",
    "f": "word-right",
    "\x7f": "cut-word",
    "\r": "newline",
    "\n": "newline",
}
_SEQUENCE: Final = re.compile(r"\[[0-?]*[ -/]*[@-~]|O[@-~]|[^\[O]", re.DOTALL)
_TYPED: Final = re.compile(r"[^\x00-\x1f\x7f]+")
_PASTE_START: Final = "\x1b[200~"
_PASTE_END: Final = "\x1b[201~"


class KeyDecoder:
    """Turns bytes from a terminal into keys, however they were cut into pieces."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, data: bytes) -> list[Key]:
        """The keys that are complete with ``data``."""
        pending = self._rest + self._decode(data)
        keys: list[Key] = []
        while pending:
            key, length = _first(pending)
            if not length:
                break
            pending = pending[length:]
            if key is not None:
                keys.append(key)
        self._rest = pending
        return keys


def _first(pending: str) -> tuple[Key | None, int]:
    """The first key and how many characters it took; 0: it is not complete. None: it means nothing here."""
    if pending[0] == "\x1b":
        return _escaped(pending)
    if name := _CONTROL.get(pending[0]):
        return Key(name), 1
    if pending[0] < " ":
        return None, 1
    text = _TYPED.match(pending)
    return (Key("text", text[0]), text.end()) if text else (None, 1)


def _escaped(pending: str) -> tuple[Key | None, int]:
    if pending.startswith(_PASTE_START):
        end = pending.find(_PASTE_END)
        if end < 0:
            return None, 0
        return Key("paste", pending[len(_PASTE_START) : end]), end + len(_PASTE_END)
    if pending.startswith("\x1b\x1b"):
        return None, 1
    sequence = _SEQUENCE.match(pending, 1)
    if sequence is None:
        return None, 0
    name = _ESCAPED.get(sequence[0])
    return (Key(name) if name else None), 1 + len(sequence[0])
