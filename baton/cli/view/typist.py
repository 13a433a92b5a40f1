"""What the keys do to the question that is asked: type, choose, send, go to the next."""

import time
from collections.abc import Callable
from typing import Final

from baton.cli.view.answers import labelled
from baton.cli.view.desk import Ask, Desk
from baton.cli.view.keys import Key

#: A question that replaces another under a person's fingers takes no Enter for so long: it was meant for the other.
SURPRISE_SECONDS: Final = 0.8


class Typist:
    """Gives keys to the current question of a desk. ``send`` is told what was answered, and must return at once."""

    def __init__(
        self, desk: Desk, send: Callable[[Ask, str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._desk = desk
        self._send = send
        self._clock = clock
        self._shown: Ask | None = None
        self._deaf_until = 0.0

    def look(self) -> Ask | None:
        """The question to show now. One that replaces a question which a person was at is a surprise."""
        current = self._desk.current
        if current is not self._shown:
            if self._shown is not None and current is not None:
                self._deaf_until = self._clock() + SURPRISE_SECONDS
            self._shown = current
        return current

    @property
    def has_text(self) -> bool:
        """Whether something is typed that was not sent."""
        ask = self.look()
        return ask is not None and bool(ask.editor.text)

    def press(self, key: Key) -> None:
        """Take in a key. Keys pressed while nothing is asked are dropped."""
        ask = self.look()
        if ask is None:
            return
        match key.name:
            case "enter":
                self._enter(ask)
            case "up" | "down":
                _choose(ask, 1 if key.name == "down" else -1)
            case "next" | "previous":
                self._desk.turn(ask, back=key.name == "previous")
                self._shown = self._desk.current
            case _:
                if ask.editor.press(key):
                    ask.chosen, ask.trouble = None, ""

    def _enter(self, ask: Ask) -> None:
        text = ask.editor.text.strip()
        if not text and ask.chosen is not None:
            text = labelled(ask.question)[ask.chosen][0]
        if not text or self._clock() < self._deaf_until:
            return
        self._send(ask, text)
        self._shown = None  # whatever is asked next was to be expected


def _choose(ask: Ask, step: int) -> None:
    count = len(labelled(ask.question))
    if not count or ask.editor.text:
        return
    if ask.chosen is None:
        ask.chosen = 0 if step > 0 else count - 1
    else:
        ask.chosen = (ask.chosen + step) % count
