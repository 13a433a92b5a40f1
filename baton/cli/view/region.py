"""The part of a terminal that is drawn anew again and again, below lines that stay."""

from collections import deque
from typing import Final

from rich.console import Console, ConsoleDimensions, RenderableType
from rich.text import Text

#: Terminals that know it show everything between the two at once; others ignore it.
_BEGIN: Final = "\x1b[?2026h\x1b[?25l"
_END: Final = "\x1b[?2026l"
_SHOW_CURSOR: Final = "\x1b[?25h"
_CLEAR_BELOW: Final = "\x1b[J"
_CLEAR_SCREEN: Final = "\x1b[H\x1b[2J"
_MOST_REMEMBERED: Final = 200


class Region:
    """Draws lines at the bottom of what was printed, and prints above them.

    Everything goes out in one write, so that nothing flickers. When the terminal's size changes, nobody can know where
    it has put what was drawn: then the screen is cleared and what was printed last is printed again, in the new width.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: deque[RenderableType] = deque(maxlen=_MOST_REMEMBERED)
        self._size: ConsoleDimensions | None = console.size
        self._cursor_row = 0  #: of the region's lines, the one that the cursor is in

    def draw(
        self, lines: list[Text], cursor: tuple[int, int] | None = None, *, above: list[RenderableType] | None = None
    ) -> None:
        """Replace what is drawn; ``above`` is printed before it and stays.

        ``cursor``: where the terminal's cursor is to be in ``lines``, (row, cell); None hides it.
        """
        above = above or []
        self._printed += above
        lines = lines[-max(self._console.height - 1, 1) :]
        if self._console.size != self._size:
            self._size = self._console.size
            room = max(self._console.height - len(lines), 0)
            start = _CLEAR_SCREEN + "".join(self._rendered(self._printed)[-room:] if room else [])
        elif above:
            start = self._top() + _CLEAR_BELOW + "".join(self._rendered(above))
        else:
            start = self._top()
        self._write(start + self._body(lines, cursor))

    def close(self) -> None:
        """Take away what is drawn and show the cursor. Drawing begins anew after it."""
        self._write(self._top() + _CLEAR_BELOW + _SHOW_CURSOR)
        self._cursor_row = 0

    def forget(self) -> None:
        """Somebody else has written on the screen: the next drawing makes it anew."""
        self._size = None

    def _rendered(self, renderables: "deque[RenderableType] | list[RenderableType]") -> list[str]:
        """Lines as the terminal takes them, with their ends."""
        with self._console.capture() as captured:
            for renderable in renderables:
                self._console.print(renderable)
        return captured.get().splitlines(keepends=True)

    def _top(self) -> str:
        """Moves the cursor to the region's first line."""
        return "\r" + (f"\x1b[{self._cursor_row}A" if self._cursor_row else "")

    def _body(self, lines: list[Text], cursor: tuple[int, int] | None) -> str:
        body = "\n".join(f"\r{self._painted(line)}\x1b[K" for line in lines) + _CLEAR_BELOW
        self._cursor_row = max(len(lines) - 1, 0)
        if cursor is None:
            return body
        row, cell = cursor
        up = max(self._cursor_row - row, 0)
        self._cursor_row -= up
        return body + "\r" + (f"\x1b[{up}A" if up else "") + (f"\x1b[{cell}C" if cell else "") + _SHOW_CURSOR

    def _painted(self, line: Text) -> str:
        line = line.copy()
        line.truncate(max(self._console.width - 1, 1), overflow="crop")
        with self._console.capture() as captured:
            self._console.print(line, end="", soft_wrap=True)
        return captured.get()

    def _write(self, text: str) -> None:
        self._console.file.write(_BEGIN + text + _END)
        self._console.file.flush()
