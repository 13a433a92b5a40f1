"""How many connections a process has, and which of them nobody needs: those make room for others."""

import logging
import time
from typing import Final, Protocol

#: While there is no room, that is logged so often.
_SAY_AGAIN_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)


class Closable(Protocol):
    """A connection that can be ended at once."""

    def make_room(self) -> None:
        """End it: nobody is at work for it."""
        ...


class Room:
    """The room for ``most`` connections. The one that has been idle for longest leaves when another needs its place.

    A stranger may open as many as the process has file descriptors, and send nothing: without this nobody could connect
    any more, and nothing would say why.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0
        #: in the order in which they became idle
        self._idle: dict[Closable, None] = {}
        self._said_at = float("-inf")

    def enter(self, connection: Closable) -> bool:
        """A new connection, idle at first. False where there is no place for it: it is refused, and `leave`s."""
        self._open += 1
        if self._open <= self._most:
            self._idle[connection] = None
            return True
        self._say()
        longest = next(iter(self._idle), None)
        if longest is None:
            return False
        del self._idle[longest]
        longest.make_room()
        self._idle[connection] = None
        return True

    @property
    def taken(self) -> int:
        """How many connections there are."""
        return self._open

    def leave(self, connection: Closable) -> None:
        """It is closed."""
        self._open -= 1
        self._idle.pop(connection, None)

    def busy(self, connection: Closable) -> None:
        """Somebody is at work for it."""
        self._idle.pop(connection, None)

    def idle(self, connection: Closable) -> None:
        """Its request has been answered."""
        self._idle[connection] = None

    def _say(self) -> None:
        if time.monotonic() - self._said_at >= _SAY_AGAIN_SECONDS:
            self._said_at = time.monotonic()
            _log.warning(
                "all %d connections are in use (BATON_MAX_CONNECTIONS, or the limit of open files): idle ones are "
                "closed, %s",
                self._most,
                f"{len(self._idle)} of them" if self._idle else "and new ones refused: there are none",
            )
