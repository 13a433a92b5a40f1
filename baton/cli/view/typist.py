"""What the keys do to the question that is asked: type, choose, send, go to the next."""

import time
from collections.abc import Callable
from typing import Final

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.named_commands import get_by_name

from baton.cli.view.answers import labelled
from baton.cli.view.desk import Ask, Desk
from baton.runtime.terminal import harmless

#: A question that replaces another under a person's fingers takes no Enter for so long: it was meant for the other.
SURPRISE_SECONDS: Final = 0.8


class InputLine(Buffer):
    """What is typed for a question, and the choice that the arrow keys are at. Holds no control characters."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__(multiline=True, on_text_changed=lambda _: self._edited(changed))
        self.chosen: int | None = None

    def insert_text(
        self, data: str, overwrite: bool = False, move_cursor: bool = True, fire_event: bool = True
    ) -> None:
        """See `Buffer`; what is typed, pasted and quoted comes through here. Bytes that are no UTF-8 become `?`."""
        super().insert_text(harmless(data.encode(errors="replace").decode()), overwrite, move_cursor, fire_event)

    def _edited(self, changed: Callable[[], None]) -> None:
        self.chosen = None
        changed()


class Typist:
    """Gives keys to the current question of a desk. ``send`` is told what was answered, and must return at once."""

    def __init__(
        self, desk: Desk, send: Callable[[Ask, str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._desk = desk
        self._send = send
        self._clock = clock
        self._lines: dict[str, InputLine] = {}
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

    def line_of(self, ask: Ask) -> InputLine:
        """What is typed for a question; it stays with it while others are asked."""
        line = self._lines.get(ask.question.id)
        if line is None:
            line = self._lines[ask.question.id] = InputLine(changed=ask.forget_trouble)
        return line

    @property
    def line(self) -> InputLine | None:
        """What the keys edit now; None while nothing is asked."""
        ask = self.look()
        return None if ask is None else self.line_of(ask)

    def bind(self, keys: KeyBindings) -> None:
        """Say what the keys do while a question is asked, beside editing."""
        asked = Condition(lambda: self.look() is not None)
        blank = Condition(lambda: self.line is not None and not self.line.text)

        def on(*names: str, of: Condition = asked) -> Callable[[Callable[[KeyPressEvent, Ask], None]], None]:
            def bound(do: Callable[[KeyPressEvent, Ask], None]) -> None:
                def pressed(event: KeyPressEvent) -> None:
                    if (ask := self.look()) is not None:
                        do(event, ask)

                for name in names:
                    keys.add(*name.split(), filter=of)(pressed)

            return bound

        on("enter")(lambda _, ask: self._enter(ask))
        on("escape enter")(lambda event, _: event.current_buffer.insert_text("\n"))
        on("tab")(lambda _, ask: self._turn(ask, back=False))
        on("s-tab")(lambda _, ask: self._turn(ask, back=True))
        keys.add("escape", "left")(get_by_name("backward-word"))  # what terminals send for Alt and an arrow
        keys.add("escape", "right")(get_by_name("forward-word"))
        on("down", "c-n", of=blank)(lambda _, ask: self._choose(ask, 1))
        on("up", "c-p", of=blank)(lambda _, ask: self._choose(ask, -1))

    def _enter(self, ask: Ask) -> None:
        line = self.line_of(ask)
        text = line.text.strip()
        if not text and line.chosen is not None:
            text = labelled(ask.question)[line.chosen][0]
        if not text or self._clock() < self._deaf_until:
            return
        self._send(ask, text)
        self._shown = None  # whatever is asked next was to be expected

    def _turn(self, ask: Ask, *, back: bool) -> None:
        self._desk.turn(ask, back=back)
        self._shown = self._desk.current

    def _choose(self, ask: Ask, step: int) -> None:
        count, line = len(labelled(ask.question)), self.line_of(ask)
        if not count:
            return
        if line.chosen is None:
            line.chosen = 0 if step > 0 else count - 1
        else:
            line.chosen = (line.chosen + step) % count
