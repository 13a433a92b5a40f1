"""The terminal's keyboard while a live view is up: every key at once, and none echoed into the view."""

import sys
import termios
from typing import Final, Self

_PASTE_MARKED: Final = "\x1b[?2004h"
_PASTE_PLAIN: Final = "\x1b[?2004l"


class Keyboard:
    """Takes the terminal of ``descriptor`` out of line mode while it is entered. Ctrl-C and Ctrl-Z stay signals."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._before = termios.tcgetattr(descriptor)

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    def enter(self) -> None:
        """Take the terminal over."""
        mode = termios.tcgetattr(self.descriptor)
        mode[0] &= ~(termios.ICRNL | termios.INLCR | termios.IXON)
        mode[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, mode)
        sys.stdout.write(_PASTE_MARKED)
        sys.stdout.flush()

    def leave(self) -> None:
        """Give the terminal back as it was."""
        sys.stdout.write(_PASTE_PLAIN)
        sys.stdout.flush()
        # What was typed and not read was meant for the view, not for the shell that comes after it.
        termios.tcsetattr(self.descriptor, termios.TCSAFLUSH, self._before)
