"""Rich's console, for text that others wrote: no markup, no emoji codes, nothing that a terminal obeys."""

import os
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from baton.runtime.terminal import harmless

_PIPE_WIDTH = 120


class _HarmlessConsole(Console):
    """Takes every string as it is: `[red]` is six characters, in tables and titles, too."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `Console`. Only what rich itself writes gets through as control codes."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)


def console(width: int | None = None) -> Console:
    """Stdout as rich sees it, as wide as its terminal; a pipe is given ``width``, else what suits its content."""
    return _HarmlessConsole(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else width)


def console_for_lines() -> Console:
    """Stdout for lines that come one after the other; a pipe is given a width, since it has none.

    A terminal is asked for its size: what `COLUMNS` and `LINES` say may be that of another, or of another day.
    """
    if not sys.stdout.isatty():
        return console(_pipe_width())
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return _HarmlessConsole(markup=False, emoji=False, highlight=False, _environ=environment)


def _pipe_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) > 20 else _PIPE_WIDTH
