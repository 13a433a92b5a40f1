"""The keyboard of a live view: prompt_toolkit reads the keys and edits the text, and draws nothing.

Its renderer cannot share the screen with `baton.cli.view.region`: it asks the terminal for the cursor's position, gives
the terminal back for every line printed above (what is typed meanwhile is echoed), and cannot print anew what a resize
has wrapped.
"""

import asyncio
import sys
import termios
from collections.abc import Callable, Generator
from contextlib import contextmanager

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.key_binding import KeyBindingsBase
from prompt_toolkit.layout import BufferControl, Layout, Window
from prompt_toolkit.output import DummyOutput

_PASTE_MARKED = "\x1b[?2004h"
_PASTE_PLAIN = "\x1b[?2004l"


class Keyboard:
    """The keys of the terminal at stdin (or of ``keys``) while `run` runs. ``bindings`` say what they do, over the
    usual Emacs keys, which edit ``buffer()``; without one, typing does nothing. ``changed`` is called after each key.
    """

    def __init__(
        self,
        bindings: KeyBindingsBase,
        buffer: Callable[[], Buffer | None],
        changed: Callable[[], None],
        keys: Input | None = None,
    ) -> None:
        self._keys = keys or create_input(sys.stdin)
        self._output = _Undrawn()
        self._nothing = Buffer(read_only=True)
        self._control = BufferControl(self._nothing)
        self._buffer = buffer
        self._changed = changed
        self._app: Application[None] = Application(
            layout=Layout(Window(self._control)),
            key_bindings=bindings,
            input=self._keys,
            output=self._output,
            include_default_pygments_style=False,
            terminal_size_polling_interval=None,
        )
        self._app.key_processor.before_key_press += self._focus
        self._app.after_render += self._rendered

    async def run(self) -> None:
        """Take the terminal over until cancelled, then give it back as it was. Ends as cancelled when it is gone."""
        try:
            await self._app.run_async(set_exception_handler=False, handle_sigint=False)
        except EOFError:
            raise asyncio.CancelledError from None

    @contextmanager
    def released(self) -> Generator[None]:
        """The terminal is given back while this lasts."""
        self._output.disable_bracketed_paste()
        with self._keys.detach(), self._keys.cooked_mode():
            yield
        self._output.enable_bracketed_paste()

    def _focus(self, _: object) -> None:
        self._control.buffer = self._buffer() or self._nothing

    def _rendered(self, _: object) -> None:
        self._changed()


class _Undrawn(DummyOutput):
    """Of all that prompt_toolkit would write, only how a paste is to be marked."""

    def enable_bracketed_paste(self) -> None:
        """See `Output`."""
        _write(_PASTE_MARKED)

    def disable_bracketed_paste(self) -> None:
        """See `Output`."""
        _write(_PASTE_PLAIN)


def forget_typed_ahead() -> None:
    """Drop what was typed and not read: it was meant for the view, not for the shell that comes after it."""
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
