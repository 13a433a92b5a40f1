"""Does PostgreSQL answer?"""

from baton.store.pool import Connection
from baton.store.queries import fetchval


async def answers(connection: Connection) -> bool:
    """True, or an error."""
    return await fetchval(
        connection,
        "answers",
    )
