"""Idempotent starts: what is asked for twice under one Idempotency-Key is made once (docs/adr/0020).

The key's row is committed with what it starts.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from baton.domain.errors import KeyReused
from baton.domain.starts import Start
from baton.store import starts
from baton.store.pool import Connection, Pool
from baton.store.starts import KeyTakenError

T = TypeVar("T")


async def once(
    pool: Pool,
    start: Start | None,
    made_id: UUID,
    make: Callable[[Connection], Awaitable[T]],
    again: Callable[[Connection, UUID], Awaitable[T]],
) -> T:
    """Make something under ``made_id``, or tell ``again`` of what was made under the same key by its id.

    ``make`` runs in one transaction with the key's row: if it raises, the key is free. Without a ``start`` it gets a
    connection in autocommit. The key is looked up before anything that ``make`` judges. Raises `KeyReused` where
    something else was asked for under the key, and what ``make`` and ``again`` raise.
    """
    if start is None:
        async with pool.connection() as connection:
            return await make(connection)
    while True:
        try:
            async with pool.transaction() as connection:
                await starts.claim(connection, start, made_id)
                return await make(connection)
        except KeyTakenError:
            async with pool.connection() as connection:
                earlier = await starts.find(connection, start)
                if earlier is not None:
                    if earlier.digest != start.digest:
                        raise KeyReused("this Idempotency-Key was used for another request") from None
                    return await again(connection, earlier.made_id)
        # The start that stood in the way was forgotten in between: the key is free.
