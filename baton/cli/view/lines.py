"""Lines as somebody types them."""

import asyncio
import sys
import threading
from typing import TextIO


class Lines:
    """A file's lines, each read only when it is asked for. Reading blocks no event loop and keeps no process alive."""

    def __init__(self, file: TextIO = sys.stdin) -> None:
        self._file = file
        self.ended = False

    async def next(self) -> str | None:
        """The next line, without its end; None, and `ended`, when there is none."""
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()

        def hand_over(text: str) -> None:
            if not line.done():
                line.set_result(text)

        def read() -> None:
            text = self._file.readline()
            try:
                loop.call_soon_threadsafe(hand_over, text)
            except RuntimeError:  # the loop has ended meanwhile: nobody waits for this line any more
                return

        threading.Thread(target=read, daemon=True, name="stdin").start()
        text = await line
        self.ended = not text
        return text.rstrip("\r\n") if text else None
