"""Forward-only migrations: numbered SQL files, each run once, in order, in a transaction of its own.

`schema_migrations` records what ran. A lock lets only one process migrate at a time; `lock_timeout` keeps a migration
from queueing behind a long transaction and blocking everybody after it. Each file must let the code before it and the
code after it run side by side (add, fill, enforce).
"""

from importlib import resources
from typing import Final

import asyncpg

_LOCK: Final = 0x6261746F6E  # "baton"


def _files() -> list[tuple[int, str, str]]:
    files = (f for f in resources.files("baton.store").joinpath("migrations").iterdir() if f.name.endswith(".sql"))
    found = sorted((int(f.name.split("_")[0]), f.name, f.read_text(encoding="utf-8")) for f in files)
    numbers = [number for number, _, _ in found]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"migrations must be numbered 1, 2, 3, …: {numbers}")
    return found


async def migrate(dsn: str, *, lock_seconds: float = 5.0) -> list[str]:
    """Bring a database to the newest schema. Returns the names of the migrations that ran.

    Raises asyncpg.PostgresError if one fails: it is rolled back, those before it stay.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations ("
            " number integer PRIMARY KEY, name text NOT NULL, ran_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {row["number"] for row in await connection.fetch("SELECT number FROM schema_migrations")}
        ran: list[str] = []
        for number, name, text in _files():
            if number in done:
                continue
            async with connection.transaction():
                await connection.execute("SELECT set_config('lock_timeout', $1, true)", f"{lock_seconds * 1000:.0f}ms")
                await connection.execute(text)
                await connection.execute("INSERT INTO schema_migrations (number, name) VALUES ($1, $2)", number, name)
            ran.append(name)
        return ran
    finally:
        await connection.close()
