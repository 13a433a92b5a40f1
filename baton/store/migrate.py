"""Forward-only migrations: numbered SQL files, each run once, in order.

`schema_migrations` records what ran, with a checksum of each file, and one process migrates at a time. Each file must
let the code before it and the code after it run side by side (add, fill, enforce), and none is changed once it has been
published. Its parts, between lines `-- commit`, are transactions of their own, so that a table is locked no longer than
its own change takes; since a file whose later part fails runs from its start the next time, each part must bear to be
repeated. `lock_timeout` keeps them from queueing behind a long transaction and blocking everybody after them.

A part with the line `-- concurrently` is one `CREATE INDEX CONCURRENTLY IF NOT EXISTS name ON table …`, which runs
outside a transaction: others write to the table while the index is built.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

import asyncpg

from baton.store.connecting import check_version, connect
from baton.store.queries import fetch, fetchrow

_LOCK: Final = 0x6261746F6E  # "baton"
_CONNECT_SECONDS: Final = 60.0
_COMMIT: Final = re.compile(r"^-- commit\n", re.MULTILINE)
_CONCURRENTLY: Final = re.compile(r"^-- concurrently\n", re.MULTILINE)
_COMMENT: Final = re.compile(r"--.*")
_BUILD: Final = re.compile(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)\s+ON \w+ \([^;]*;?")
#: How often a migrator that waits for another looks whether that has ended.
_ASK_AGAIN_SECONDS: Final = 0.2


class SchemaRefused(Exception):
    """The database's schema is not one that can be brought up to date from here. Nothing was changed.

    The message says why, in one line, for a person.
    """


class SchemaTooOld(SchemaRefused):
    """It was made while the first migration was still being rewritten: only an empty database helps."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A file of `migrations/`."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of its text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def parts(self) -> list[str]:
        """What is committed one after the other."""
        return _COMMIT.split(self.text)

    def index_of(self, part: str) -> str | None:
        """The index that a part builds while others write; None for a part that runs in a transaction.

        Raises ValueError for a part that is to run outside a transaction and does anything else.
        """
        if not _CONCURRENTLY.search(part):
            return None
        build = _BUILD.fullmatch(_COMMENT.sub("", part).strip())
        if build is None:
            raise ValueError(
                f"{self.name}: a concurrent part is one CREATE INDEX CONCURRENTLY IF NOT EXISTS … ON … (…)"
            )
        return build[1]


async def migrate(dsn: str, *, lock_seconds: float = 5.0) -> list[str]:
    """Bring a database to the newest schema. Returns the names of the migrations that ran.

    Raises `SchemaRefused` for a schema of newer code, and for one whose migrations are not those of this code;
    `SchemaTooOld` for one that was made before migrations had checksums and is not what the first of them makes;
    `Unavailable` where no connection can be made, and for a server that is too old. Raises asyncpg.PostgresError if a
    migration fails: the part that failed is rolled back, what was before it stays.
    """
    known = known_migrations()
    connection = await connect(dsn, _CONNECT_SECONDS, "baton migrate")
    try:
        check_version(connection)
        await _become_the_only_one(connection)
        done = await _done(connection, known)
        due = [migration for migration in known if migration.number not in done]
        for migration in due:
            await _run(connection, migration, lock_seconds)
        return [migration.name for migration in due]
    finally:
        await connection.close()


def known_migrations() -> list[Migration]:
    """The migrations of this code, in order. Raises ValueError unless they are numbered 1, 2, 3, … and well formed."""
    files = (f for f in resources.files("baton.store").joinpath("migrations").iterdir() if f.name.endswith(".sql"))
    found = [
        Migration(int(f.name[:4]), f.name, f.read_text(encoding="utf-8")) for f in sorted(files, key=lambda f: f.name)
    ]
    numbers = [migration.number for migration in found]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"migrations must be numbered 1, 2, 3, …: {numbers}")
    for migration in found:
        for part in migration.parts:
            migration.index_of(part)
    return found


async def _become_the_only_one(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Wait until nobody else migrates. By asking: whoever waits within a statement holds a snapshot, which the other
    one would wait for while it builds an index concurrently."""
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 (it is elsewhere)
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration, lock_seconds: float) -> None:
    parts = migration.parts
    if migration.index_of(parts[-1]):
        parts.append("SELECT")  # that it has run is recorded in a transaction of its own
    for number, part in enumerate(parts, 1):
        if index := migration.index_of(part):
            await _build(connection, index, part)
            continue
        async with connection.transaction():
            await _set_lock_timeout(connection, lock_seconds)
            await connection.execute(part)
            if number == len(parts):
                await connection.execute(
                    "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.checksum,
                )


async def _build(connection: "asyncpg.Connection[asyncpg.Record]", index: str, part: str) -> None:
    """Build an index while others write, anew if somebody was killed over it.

    It waits for transactions that are under way, however long they take: nobody queues behind it meanwhile.
    """
    await connection.execute("SET lock_timeout = 0; SET statement_timeout = 0")
    while (half := await fetchrow(connection, "half_built", index=index)) and half["is_being_built"]:  # noqa: ASYNC110
        await asyncio.sleep(_ASK_AGAIN_SECONDS)  # it is built by hand, say
    if half:
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
    await connection.execute(part)


async def _set_lock_timeout(connection: "asyncpg.Connection[asyncpg.Record]", seconds: float) -> None:
    await connection.execute("SELECT set_config('lock_timeout', $1, true)", f"{seconds * 1000:.0f}ms")


async def _done(connection: "asyncpg.Connection[asyncpg.Record]", known: Sequence[Migration]) -> set[int]:
    """The numbers of the migrations that ran. Raises `SchemaRefused` if they are not ours."""
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
        " checksum text NOT NULL, ran_at timestamptz NOT NULL DEFAULT now())"
    )
    names = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'schema_migrations'::regclass AND attname = 'checksum'"
    )
    if not names:
        await _take_over(connection, known[0])
    by_number = {migration.number: migration for migration in known}
    ran = await connection.fetch("SELECT number, name, checksum FROM schema_migrations ORDER BY number")
    for row in ran:
        ours = by_number.get(row["number"])
        if ours is None:
            raise SchemaRefused(
                f"the database was migrated by a newer version of Baton: it has {row['name']}, and this version ends at"
                f" {known[-1].name}"
            )
        if row["checksum"] != ours.checksum:
            raise SchemaRefused(
                f"{ours.name} was changed after it ran on this database: restore the file, and put the change into a"
                " new migration"
            )
    return {row["number"] for row in ran}


async def _take_over(connection: "asyncpg.Connection[asyncpg.Record]", first: Migration) -> None:
    """Record the checksum of the only migration that there was before checksums, if it is what the database has.

    That file was rewritten until then, so that its number alone does not tell what it made. It is made once more, in
    the schema for temporary tables, and compared.
    """
    async with connection.transaction():
        if await connection.fetchval("SELECT count(*) FROM schema_migrations"):
            has = await _contents(connection, "SELECT current_schema()::regnamespace::oid")
            makes = await _made_by(connection, first)
            if has != makes:
                example = min(makes - has, default=None) or min(has - makes)
                lacks = "it lacks" if example in makes else "it also has"
                raise SchemaTooOld(
                    "the database was created by an earlier version of Baton and cannot be upgraded"
                    f" ({lacks}, for example, {example})"
                )
        await connection.execute("ALTER TABLE schema_migrations ADD COLUMN checksum text")
        await connection.execute("UPDATE schema_migrations SET checksum = $1", first.checksum)
        await connection.execute("ALTER TABLE schema_migrations ALTER COLUMN checksum SET NOT NULL")


async def _made_by(connection: "asyncpg.Connection[asyncpg.Record]", first: Migration) -> set[str]:
    trial = connection.transaction()
    await trial.start()
    try:
        await connection.execute("SET LOCAL search_path = pg_temp")
        await connection.execute(first.text)
        return await _contents(connection, "SELECT pg_my_temp_schema()")
    finally:
        await trial.rollback()


async def _contents(connection: "asyncpg.Connection[asyncpg.Record]", which_schema: str) -> set[str]:
    schema = await connection.fetchval(which_schema)
    return {row["line"] for row in await fetch(connection, "schema_contents", schema=schema)}
