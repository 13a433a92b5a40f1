"""Does PostgreSQL answer?"""

from store.pool import Connection
from store.queries import query


async def answers(connection: Connection) -> bool:
    """True, or an error."""
    return await connection.fetchval(query("answers"))
