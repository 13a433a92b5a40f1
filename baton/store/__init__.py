"""PostgreSQL, and nothing else: asyncpg and SQL live here alone.

Functions take a connection, so that the caller owns the transaction, and return domain objects.
"""
