"""A line being typed. Pure: keys go in, text, cursor and rows come out."""

from dataclasses import dataclass

from rich.cells import cell_len

from baton.cli.view.keys import Key
from baton.cli.view.texts import harmless


@dataclass(slots=True)
class Editor:
    """Text with a cursor, edited as in a shell (Emacs keys). Newlines come in by paste or Alt-Enter."""

    text: str = ""
    cursor: int = 0

    def clear(self) -> None:
        """Forget the text."""
        self.text, self.cursor = "", 0

    def press(self, key: Key) -> bool:
        """Take in a key; whether it meant anything here."""
        match key.name:
            case "text" | "paste":
                self._insert(harmless(key.text))
            case "newline":
                self._insert("\n")
            case "backspace":
                self._cut(max(self.cursor - 1, 0), self.cursor)
            case "delete" | "end-of-input":
                self._cut(self.cursor, self.cursor + 1)
            case "left":
                self.cursor = max(self.cursor - 1, 0)
            case "right":
                self.cursor = min(self.cursor + 1, len(self.text))
            case "word-left":
                self.cursor = self._word_start()
            case "word-right":
                self.cursor = self._word_end()
            case "home":
                self.cursor = self.text.rfind("\n", 0, self.cursor) + 1
            case "end":
                self.cursor = self._line_end()
            case "cut-word":
                self._cut(self._word_start(), self.cursor)
            case "cut-line":
                self._cut(self.text.rfind("\n", 0, self.cursor) + 1, self.cursor)
            case "cut-rest":
                self._cut(self.cursor, self._line_end())
            case _:
                return False
        return True

    def rows(self, width: int, most: int) -> tuple[list[str], int, int]:
        """The text in rows, and where the cursor is: row, cell.

        At most ``most`` rows, those around the cursor, of at most ``width`` cells (3 or more), the last for the cursor.
        """
        width = max(width, 3)  # a wide character, and the cursor
        rows, row, column = [""], 0, 0
        for index, character in enumerate(self.text):
            if index == self.cursor:
                row, column = len(rows) - 1, cell_len(rows[-1])
            if character == "\n":
                rows.append("")
            elif cell_len(rows[-1]) + cell_len(character) > width - 1:
                rows.append(character)
            else:
                rows[-1] += character
        if self.cursor >= len(self.text):
            row, column = len(rows) - 1, cell_len(rows[-1])
        elif column >= width - 1:  # the character under the cursor went on to the next row
            row, column = row + 1, 0
        first = max(0, min(row - most + 1, len(rows) - most))
        return rows[first : first + most], row - first, column

    def _insert(self, text: str) -> None:
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def _cut(self, start: int, end: int) -> None:
        self.text = self.text[:start] + self.text[end:]
        self.cursor = start

    def _line_end(self) -> int:
        end = self.text.find("\n", self.cursor)
        return len(self.text) if end < 0 else end

    def _word_start(self) -> int:
        start = self.cursor
        while start > 0 and not self.text[start - 1].isalnum():
            start -= 1
        while start > 0 and self.text[start - 1].isalnum():
            start -= 1
        return start

    def _word_end(self) -> int:
        end = self.cursor
        while end < len(self.text) and not self.text[end].isalnum():
            end += 1
        while end < len(self.text) and self.text[end].isalnum():
            end += 1
        return end
