"""Following an execution in a terminal: a tree that moves, and the questions answered right there."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import aclosing, contextmanager
from typing import Final

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from rich.console import Console, RenderableType
from rich.text import Text

from baton.cli.view.desk import Ask, Desk
from baton.cli.view.panel import panel
from baton.cli.view.region import Region
from baton.cli.view.session import Session
from baton.cli.view.tree import tree_lines
from baton.cli.view.typist import Typist
from baton.client.errors import EXIT_WAITING
from baton.domain.states import ExecutionState
from baton.runtime.keyboard import Keyboard, forget_typed_ahead
from baton.runtime.terminal import one_line

_FRAME_SECONDS: Final = 0.05  #: no more often than this anything is drawn
_SPIN_SECONDS: Final = 0.12
_LEAST_TREE_LINES: Final = 4


async def follow_live(session: Session, console: Console, *, typing: bool, until_waiting: bool = False) -> int:
    """Show an execution until there is nothing left to follow; return the exit code.

    Stdin and stdout must be terminals; they are given back as they were, whatever happens. ``typing``: ask the
    questions here. ``until_waiting``: leave with `EXIT_WAITING` once all that is left waits for a person.
    """
    try:
        return await _Live(session, console, typing=typing).run(until_waiting=until_waiting)
    finally:
        forget_typed_ahead()


class _Live:
    """Draws what the session says, and gives the keys to who types."""

    def __init__(self, session: Session, console: Console, *, typing: bool) -> None:
        self._session = session
        self._console = console
        self._region = Region(console)
        self._typist = Typist(session.desk, self._send) if typing and session.desk is not None else None
        self._told: list[RenderableType] = []  #: what is to be printed above with the next frame
        self._changed = asyncio.Event()
        self._sends: set[asyncio.Task[None]] = set()
        typist = self._typist
        self._keyboard = Keyboard(
            self._bindings(), lambda: None if typist is None else typist.line, changed=self._changed.set
        )

    async def run(self, *, until_waiting: bool) -> int:
        """Until there is nothing left to follow. The region is gone when it returns or raises."""
        events = asyncio.create_task(self._take_events())
        tasks = {events, *map(asyncio.create_task, (self._keyboard.run(), self._redraw(), self._tick()))}
        if until_waiting:
            tasks.add(asyncio.create_task(self._session.until(self._is_stuck)))
        if self._session.desk is not None:
            tasks.add(asyncio.create_task(self._send_prepared(self._session.desk)))
        try:
            with self._signals():
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            return self._session.exit_code if events in done else EXIT_WAITING
        finally:
            for task in tasks | self._sends:
                task.cancel()
            await asyncio.gather(*tasks, *self._sends, return_exceptions=True)
            self._paint()
            self._region.close()

    def _is_stuck(self) -> bool:
        desk = self._session.desk
        return self._session.rests and (desk is None or not desk.has_prepared)

    async def _take_events(self) -> None:
        async with aclosing(self._session.events()) as events:
            async for _, lines in events:
                self._told += lines
                self._changed.set()

    async def _redraw(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._paint()
            await asyncio.sleep(_FRAME_SECONDS)

    async def _tick(self) -> None:
        """Spinners turn while something runs; else only the clocks go on."""
        while True:
            running = self._session.board.state is ExecutionState.RUNNING
            await asyncio.sleep(_SPIN_SECONDS if running else 1.0)
            self._changed.set()

    def _paint(self) -> None:
        lines, cursor = self._frame()
        told, self._told = self._told, []
        self._region.draw(lines, cursor, above=told)

    def _frame(self) -> tuple[list[Text], tuple[int, int] | None]:
        """The lines to be drawn, and the cursor's place where something can be typed."""
        height = self._console.height - 1
        asked, cursor = self._asked(height - _LEAST_TREE_LINES)
        # What happened before should stay in sight: two thirds of the screen are enough for what moves.
        room = max(height * 2 // 3 - len(asked), _LEAST_TREE_LINES)
        above: list[Text] = [Text("")]
        if self._session.trouble is not None:
            above.append(Text(f"no connection ({one_line(self._session.trouble)}); trying again", style="red"))
        tree = tree_lines(
            self._session.board,
            self._console,
            height=room,
            now=self._session.client.server_time(),
            tick=int(time.monotonic() / _SPIN_SECONDS),
            only=self._session.only,
        )
        lines = [*above, *tree, *asked]
        return lines, (len(above) + len(tree) + cursor[0], cursor[1]) if cursor else None

    def _asked(self, height: int) -> tuple[list[Text], tuple[int, int] | None]:
        ask = self._typist.look() if self._typist else None
        if ask is None or self._typist is None or self._session.desk is None:
            return [], None
        return panel(
            ask,
            self._typist.line_of(ask),
            waiting=len(self._session.desk.open),
            is_plan=self._session.board.is_plan,
            console=self._console,
            height=height,
        )

    def _bindings(self) -> KeyBindings:
        """What the keys do to the view, and below that, to the question."""
        keys = KeyBindings()
        typist = self._typist
        if typist is not None:
            typist.bind(keys)
        # The terminal would send these signals to all of our process group.
        keys.add("c-c")(_does(lambda: os.killpg(os.getpgrp(), signal.SIGINT)))
        keys.add("c-z")(_does(lambda: os.killpg(os.getpgrp(), signal.SIGTSTP)))
        keys.add("c-l")(_does(self._region.forget))
        blank = Condition(lambda: typist is None or typist.line is None or not typist.line.text)
        keys.add("c-d", filter=blank)(_does(lambda: os.kill(os.getpid(), signal.SIGINT)))  # as Ctrl-C does
        return keys

    def _send(self, ask: Ask, text: str) -> None:
        """Send an answer while the view goes on."""
        sending = asyncio.create_task(self._sent(ask, text))
        self._sends.add(sending)
        sending.add_done_callback(self._sends.discard)

    async def _sent(self, ask: Ask, text: str) -> None:
        assert self._session.desk is not None
        trouble = await self._session.answer(self._session.desk, ask, text)
        if trouble is not None:
            told = f"the answer to {ask.task.position} was not taken: {one_line(trouble)}"
            self._told.append(self._session.narrator.note(told, "red"))
        self._changed.set()

    async def _send_prepared(self, desk: Desk) -> None:
        while True:
            await self._session.until(lambda: desk.has_prepared)
            prepared = desk.take_prepared()
            if prepared is not None:
                await self._sent(*prepared)

    @contextmanager
    def _signals(self) -> Generator[None]:
        """Signals reach us. Ctrl-C is asyncio's own: it cancels what runs; a new size is the keyboard's."""
        loop = asyncio.get_running_loop()
        this = asyncio.current_task()
        assert this is not None

        def suspend() -> None:
            self._region.close()
            with self._keyboard.released():
                os.kill(os.getpid(), signal.SIGSTOP)
            self._changed.set()  # here we are again, after `fg`

        loop.add_signal_handler(signal.SIGTSTP, suspend)
        loop.add_signal_handler(signal.SIGTERM, this.cancel)
        try:
            yield
        finally:
            for number in (signal.SIGTSTP, signal.SIGTERM):
                loop.remove_signal_handler(number)


def _does(action: Callable[[], None]) -> Callable[[KeyPressEvent], None]:
    """A key's handler that does not care for the text."""

    def pressed(_: KeyPressEvent) -> None:
        action()

    return pressed
