"""Slots that many want: how a process shares what it has few of, so that nobody takes all of it."""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable
from typing import Final, TypeAlias

from baton.domain.errors import Unavailable

#: So many may wait for the same part of a holder's, if nothing else is said; more are turned away at once.
MOST_WAITING: Final = 400

#: For whom a slot is, and what part of theirs it is for. None as holder: the process itself, which is not limited.
Who: TypeAlias = tuple[Hashable | None, Hashable | None]


class Shares:
    """A number of slots, and who holds how many of them.

    A holder gets another one only while more are free than it holds. So one alone gets half of them, two that want all
    get a third each, and one that comes later nearly always finds some at once. What a holder does is further divided
    into parts, which may be limited, too: then one part does not keep its holder's others waiting.
    """

    def __init__(self, slots: int, *, per_part: int | None = None, most_waiting: float = MOST_WAITING) -> None:
        self._slots = slots
        self._per_part = slots if per_part is None else per_part
        self._most_waiting = most_waiting
        self._taken = 0
        self._held: Counter[Hashable] = Counter()
        self._parts: Counter[Hashable] = Counter()
        self._waiting: dict[Who, deque[asyncio.Future[None]]] = {}

    @property
    def taken(self) -> int:
        """How many slots are taken, whoever has them."""
        return self._taken

    def held(self, holder: Hashable | None, part: Hashable | None = None) -> int:
        """How many slots a holder has; with ``part``, for that part of what it does."""
        return self._held[holder] if part is None else self._parts[holder, part]

    def take(self, holder: Hashable | None, part: Hashable | None = None) -> bool:
        """Take a slot, to be given `back`; False where there is none for this holder now."""
        if not self._may_take(holder, part):
            return False
        self._count(holder, part, 1)
        return True

    async def wait(self, holder: Hashable | None, part: Hashable | None = None) -> None:
        """Take a slot, to be given `back`, and wait for it in line. Raises `Unavailable` where the line is too long."""
        who = holder, part
        if who not in self._waiting and self.take(holder, part):
            return
        line = self._waiting.setdefault(who, deque())
        if len(line) >= self._most_waiting:
            raise Unavailable("too many others wait for the same thing: try again")
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.cancelled():
                self._leave(who, mine)
            else:  # it was given a slot at the same moment
                self.back(holder, part)
            raise

    def back(self, holder: Hashable | None, part: Hashable | None = None) -> None:
        """Give a slot back; those who wait are given what is free now."""
        self._count(holder, part, -1)
        if self._waiting:
            self._give()

    def _may_take(self, holder: Hashable | None, part: Hashable | None) -> bool:
        return self._has_room(holder) and (part is None or self._parts[holder, part] < self._per_part)

    def _has_room(self, holder: Hashable | None) -> bool:
        free = self._slots - self._taken
        return free > 0 if holder is None else self._held[holder] < free

    def _count(self, holder: Hashable | None, part: Hashable | None, change: int) -> None:
        self._taken += change
        if holder is not None:
            _add(self._held, holder, change)
        if part is not None:
            _add(self._parts, (holder, part), change)

    def _give(self) -> None:
        """Give what is free to those who wait: one to each in turn, and who was given one comes last."""
        full: set[Hashable] = set()  # holders that have all they may: nothing changes that until somebody gives back
        given = True
        while given and self._taken < self._slots:
            given = False
            for who, line in list(self._waiting.items()):
                holder, part = who
                if holder in full or line[0].done():  # done: it was cancelled, and leaves in a moment
                    continue
                if not self._has_room(holder):
                    full.add(holder)
                elif self.take(holder, part):
                    given = True
                    line.popleft().set_result(None)
                    del self._waiting[who]
                    if line:
                        self._waiting[who] = line

    def _leave(self, who: Who, mine: asyncio.Future[None]) -> None:
        line = self._waiting[who]
        line.remove(mine)
        if not line:
            del self._waiting[who]
        self._give()


def _add(counter: Counter[Hashable], key: Hashable, change: int) -> None:
    counter[key] += change
    if not counter[key]:
        del counter[key]
