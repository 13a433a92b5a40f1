"""Pages of lists: cut by rows, and by what the rows hold."""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import asyncpg

from baton.store.pool import Connection
from baton.store.queries import fetch

T = TypeVar("T")
S = TypeVar("S")
#: After so many bytes a page has no other row; it has one at least.
PAGE_BYTES: Final = 1024 * 1024


class CutPage(list[T]):
    """What a page has. ``more``: others follow; ``cut``: it has fewer than asked for, since they are large."""

    def __init__(self, items: Iterable[T] = (), *, more: bool = False, cut: bool = False) -> None:
        super().__init__(items)
        self.more = more
        self.cut = cut

    def each(self, make: Callable[[T], S]) -> "CutPage[S]":
        """The page of what ``make`` makes of each."""
        return CutPage(map(make, self), more=self.more, cut=self.cut)


async def fetch_page(
    connection: Connection, name: str, /, *, limit: int, **arguments: object
) -> CutPage[asyncpg.Record]:
    """Up to ``limit`` rows of a named list, and none after ``most_bytes``, which is `PAGE_BYTES` unless it is given."""
    rows = await fetch(connection, name, limit=limit + 1, **{"most_bytes": PAGE_BYTES, **arguments})
    listed: int = rows[0]["rows_in_page"] if rows else 0
    return CutPage(rows[:limit], more=listed > min(len(rows), limit), cut=len(rows) < min(limit, listed))
