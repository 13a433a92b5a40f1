"""Does PostgreSQL answer?"""

from baton.store.pool import Connection
from baton.store.queries import query


async def answers(connection: Connection) -> bool:
    """True, or an error."""
    return await connection.fetchval(query("answers"))
