"""A program in a real pseudo-terminal, and what a person would see on its screen."""

import asyncio
import codecs
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import termios
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from rich.cells import cell_len

_SEQUENCE: Final = re.compile(r"\x1b\[([?>]?)([0-9;]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_=>78]")


class Screen:
    """A terminal's screen, as far as programs here use one: text, cursor moves, clearing, scrolling, wide characters.

    Raises ValueError for a sequence that it does not know, so that none goes by unnoticed.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.rows: list[list[str]] = [self._blank() for _ in range(height)]
        self.scrolled: list[str] = []  #: lines that left at the top
        self.row = self.column = 0
        self.modes: set[str] = {"?25", "?7"}
        self._rest = ""

    @property
    def text(self) -> str:
        """What can be seen, without blanks at the ends of lines and at the bottom."""
        return "\n".join(self._line(row) for row in self.rows).rstrip()

    @property
    def history(self) -> str:
        """What could be seen by scrolling back, then what can be seen."""
        return "\n".join([*self.scrolled, self.text])

    def feed(self, text: str) -> None:
        """Take in output."""
        text = self._rest + text
        self._rest = ""
        while text:
            if text[0] == "\x1b":
                match = _SEQUENCE.match(text)
                if match is None:
                    if len(text) > 64:
                        raise ValueError(f"unknown sequence {text[:16]!r}")
                    self._rest = text
                    return
                if match[3]:
                    self._obey(match[1], match[2], match[3])
                text = text[match.end() :]
            else:
                self._put(text[0])
                text = text[1:]

    def resize(self, width: int, height: int) -> None:
        """Change the size; lines are cut, not wrapped anew."""
        self.width = width
        self.rows = [(row + self._blank())[:width] for row in self.rows]
        while len(self.rows) > height:
            if self.row < len(self.rows) - 1 and not self._line(self.rows[-1]):
                self.rows.pop()
            else:
                self.scrolled.append(self._line(self.rows.pop(0)))
                self.row = max(self.row - 1, 0)
        self.rows += [self._blank() for _ in range(height - len(self.rows))]
        self.height = height
        self.column = min(self.column, width - 1)

    def _blank(self) -> list[str]:
        return [" "] * self.width

    @staticmethod
    def _line(row: list[str]) -> str:
        return "".join(row).rstrip()

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._down()
        elif character == "\b":
            self.column = max(self.column - 1, 0)
        elif character < " " or character == "\x7f":
            raise ValueError(f"a control character reached the screen: {character!r}")
        else:
            cells = cell_len(character)
            if self.column + cells > self.width:
                self.column = 0
                self._down()
            if cells == 0:  # combines with what is before it
                self.rows[self.row][max(self.column - 1, 0)] += character
                return
            self.rows[self.row][self.column] = character
            if cells == 2:
                self.rows[self.row][self.column + 1] = ""
            self.column += cells

    def _down(self) -> None:
        if self.row == self.height - 1:
            self.scrolled.append(self._line(self.rows.pop(0)))
            self.rows.append(self._blank())
        else:
            self.row += 1

    def _obey(self, private: str, parameters: str, final: str) -> None:
        number = int(parameters.split(";")[0] or 0)
        match final:
            case "m":
                return
            case "h" | "l" if private == "?":
                (self.modes.add if final == "h" else self.modes.discard)(f"?{number}")
            case "A":
                self.row = max(self.row - max(number, 1), 0)
            case "B":
                self.row = min(self.row + max(number, 1), self.height - 1)
            case "C":
                self.column = min(self.column + max(number, 1), self.width - 1)
            case "D":
                self.column = max(self.column - max(number, 1), 0)
            case "H":
                self.row = self.column = 0
            case "J" if number == 2:
                self.rows = [self._blank() for _ in range(self.height)]
            case "J" if number == 0:
                self._erase_line()
                self.rows[self.row + 1 :] = [self._blank() for _ in self.rows[self.row + 1 :]]
            case "K" if number == 0:
                self._erase_line()
            case _:
                raise ValueError(f"unknown sequence {private}{parameters}{final}")

    def _erase_line(self) -> None:
        column = min(self.column, self.width)
        self.rows[self.row][column:] = [" "] * (self.width - column)


class Terminal:
    """A program that runs in a pseudo-terminal. `screen` is what it shows."""

    def __init__(self, process: asyncio.subprocess.Process, master: int, screen: Screen) -> None:
        self.process = process
        self.screen = screen
        self._master = master
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    async def until(self, shown: str | Callable[[Screen], bool], seconds: float = 30.0) -> None:
        """Wait until the screen shows a text, or fits. Fails with the screen as it is then."""

        def fits() -> bool:
            return shown(self.screen) if callable(shown) else shown in self.screen.text

        deadline = asyncio.get_running_loop().time() + seconds
        while not fits():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"waited for {shown!r}; the screen shows:\n{self.screen.history}")
            self._changed.clear()
            with contextlib.suppress(TimeoutError):  # what is waited for need not show on the screen
                await asyncio.wait_for(self._changed.wait(), 0.1)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def resize(self, width: int, height: int) -> None:
        """Change the window's size, as a window manager does."""
        self.screen.resize(width, height)
        _set_size(self._master, width, height)
        self.process.send_signal(signal.SIGWINCH)

    @property
    def echoes(self) -> bool:
        """Whether the terminal is in its usual state: line by line, with an echo."""
        flags = termios.tcgetattr(self._master)[3]
        return bool(flags & termios.ECHO) and bool(flags & termios.ICANON)

    async def ended(self, seconds: float = 30.0) -> int:
        """Wait until the program has ended and all it wrote is on the screen; its exit code."""
        try:
            return await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            raise AssertionError(f"it has not ended; the screen shows:\n{self.screen.history}") from None
        finally:
            self._read()

    def close(self) -> None:
        """Let go of the terminal."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except BlockingIOError:
                break
            except OSError:  # nobody holds the other end any more
                data = b""
            if not data:
                asyncio.get_running_loop().remove_reader(self._master)
                break
            self.screen.feed(self._decode(data))
        self._changed.set()


@asynccontextmanager
async def in_terminal(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    width: int = 80,
    height: int = 24,
    directory: Path | None = None,
) -> AsyncGenerator[Terminal]:
    """Run a command in a terminal of its own; it is killed at the end if it still runs."""
    master, slave = pty.openpty()
    _set_size(slave, width, height)
    os.set_blocking(master, False)

    def own_terminal() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs, which the tests may be, ignore Ctrl-C
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=directory,
        env={**environment, "TERM": "xterm-256color"},
        preexec_fn=own_terminal,
    )
    # The slave stays open here, too: else what was written last could be lost with the program's end.
    terminal = Terminal(process, master, Screen(width, height))
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        terminal.close()
        os.close(slave)


def _set_size(descriptor: int, width: int, height: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
