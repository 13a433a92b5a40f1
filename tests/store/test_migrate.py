"""Migrations: each once, in order, whoever comes at the same time; and only those that this code knows."""

import asyncio
from collections.abc import AsyncGenerator

import asyncpg
import pytest

from baton.domain.approvals import ApprovalState
from baton.domain.compactions import CompactionReason
from baton.domain.errors import Unavailable
from baton.domain.events import EventType
from baton.domain.states import CallState, ExecutionState, MessageState, StepState, TaskState, TurnState
from baton.store import connecting
from baton.store import migrate as module
from baton.store.migrate import Migration, SchemaRefused, SchemaTooOld, known_migrations, migrate
from baton.store.pool import Connection
from tests.support.postgres import PostgresServer
from tests.support.system import eventually

#: What has been published is never edited: a change is a new migration, and a new line here.
PUBLISHED = {
    "0001_initial.sql": "69d105572c6b8854c1964692f648704c852c529e39785466284601274c0806f3",
    "0002_states.sql": "bd735bd711e644fe48b2c26965553f06b26382e6f0f57589501e4f7e2ad52ed3",
    "0003_attempts.sql": "98713e8f77366f46b6bd7d70772c42621e3a37d206e700e59940fa81cdfa98c7",
    "0004_parameters.sql": "55dae036eef15b849fda99e3f4012d9e8a56d9c51d6eb098445f1acd282897b6",
    "0005_starts.sql": "7c19eb71ef6200b3b44c49c4773fe6742cdbe5b044625a528f3c51e33edc82ec",
    "0006_reasons.sql": "484c7725cd02f2ec7463a3f2625f3245d76836339054d315479c48e1810ccf87",
    "0007_authors.sql": "0152491d8f78f57fee108ddb3e5930abe2db8b2c9350787cd96e26bb81ea2f54",
    "0008_sums.sql": "b5b744d7fdba849239c9fdd340ef867b5fced121a61648b85223199fef0cd9a4",
    "0009_artifacts.sql": "2a64d14e022af140b397e70ec829bdbed91cf6019235b80e965494a4ef1d2553",
    "0010_model_settings.sql": "d2d34ad89dbc056376a819254c8e0a08c2444ee04fcee1881962384396695721",
    "0011_usage.sql": "f1314962fca9ab71234db237e6897241cba44660ddebc9363026c3e7d5cce0c6",
    "0012_asked.sql": "3825f1b533970c2528203dba1cf73f1c351cbee7e86ba412ccf0f561791dec87",
    "0013_catalogs.sql": "4b424e0e3e861c45eaee0131e0db38e9e5addaf94c7a78ea1971caf3c66b22ae",
    "0014_effects.sql": "73b9da77e20bf9f63382c4ae9e5fd9f2de8cb2acc0c1e4310a166cef6fcb751b",
    "0015_fallbacks.sql": "501c3a6659fc278bb9f016e7dfb1c223e319ade2c5fdc9790931344b726b94a1",
    "0016_limits.sql": "82152e3fee4c29f2842fbc15b2dd8eb43511c766fb87c8691b10997346e9242f",
    "0017_compactions.sql": "022cb9a69df5748b591cc449a389b8869cab4383aefef283495ab47244e6b090",
    "0018_agents_of_tasks.sql": "5d3b8b9637486bba7f03cca646e3d044b06625564e23dc1ed895c6f57763c73c",
    "0019_unprocessed.sql": "68a6c40c79e20407b576447a35ec4e90976ad79d54fab69650cd687250dd35e1",
    "0020_result_schemas.sql": "647a115bd87d8c5c7f646ca8cd92083ca8e00657a8050f2e1e87b04225fc941b",
    "0021_namespace.sql": "f941524ff6aa56a767a297d1c3e1140ceb72c16db283feb31ebe0f71dad557dd",
    "0022_waiting_since.sql": "3837308732bbc3cbd4b5fb6c4d52dcea74d4689d5b0bd2f0d267f1aa71b46332",
    "0023_asked_compactions.sql": "146fac2288439f2c5268f421bf8ebc33a623c075a0635a27c83497e557a3d8d5",
    "0024_keeping.sql": "c257515b8962fe7f8d005682f002eb3831ed3bfc92b8b2a47a3f748606450a1a",
    "0025_served_queues.sql": "2e7c1f13407da106cf20ff98020f30d42d92fd3b46e7de1bded61240db28cf68",
    "0026_looks.sql": "1e6bb898ffcbe0cca7ec0ce9e1965264086e38d3f9c8c2636218555f454b7473",
}


@pytest.fixture
async def empty_database(postgres: PostgresServer) -> AsyncGenerator[str]:
    """A database without a schema."""
    dsn = await postgres.create_database(migrated=False)
    yield dsn
    await postgres.drop_database(dsn)


@pytest.fixture
async def old_database(empty_database: str) -> str:
    """A database as it was before migrations had checksums."""
    await execute(
        empty_database,
        known_migrations()[0].text,
        "CREATE TABLE schema_migrations ("
        " number integer PRIMARY KEY, name text NOT NULL, ran_at timestamptz NOT NULL DEFAULT now())",
        "INSERT INTO schema_migrations (number, name) VALUES (1, '0001_initial.sql')",
    )
    return empty_database


async def fetch(dsn: str, statement: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_twice_is_once(empty_database: str) -> None:
    ran = await migrate(empty_database)
    assert ran == [migration.name for migration in known_migrations()]
    assert await migrate(empty_database) == []
    assert await fetch(empty_database, "SELECT name FROM schema_migrations ORDER BY number") == [
        (name,) for name in ran
    ]


async def test_several_at_once_are_once(empty_database: str) -> None:
    ran = await asyncio.gather(*(migrate(empty_database) for _ in range(6)))
    assert sorted(map(len, ran))[:-1] == [0] * 5
    assert len(await fetch(empty_database, "SELECT FROM schema_migrations")) == max(map(len, ran))


async def test_one_that_fails_is_rolled_back_and_those_before_it_stay(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Migration(1, "0001_good.sql", "CREATE TABLE good ()")
    bad = Migration(2, "0002_bad.sql", "CREATE TABLE half (); SELECT nonsense")
    monkeypatch.setattr(module, "known_migrations", lambda: [good, bad])
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(empty_database)
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    assert await fetch(empty_database, tables) == [("good",), ("schema_migrations",)]
    mended = Migration(2, "0002_mended.sql", "CREATE TABLE half ()")
    monkeypatch.setattr(module, "known_migrations", lambda: [good, mended])
    assert await migrate(empty_database) == ["0002_mended.sql"]


async def test_each_part_is_committed_and_a_failed_file_runs_again(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables of a file are locked one at a time; it counts as run when its last part has."""
    first = "CREATE TABLE IF NOT EXISTS one ();\n-- commit\n"
    failing = Migration(1, "0001_parts.sql", first + "SELECT nonsense;\n")
    monkeypatch.setattr(module, "known_migrations", lambda: [failing])
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(empty_database)
    assert await fetch(empty_database, "SELECT FROM one") == []
    assert await fetch(empty_database, "SELECT name FROM schema_migrations") == []
    whole = Migration(1, "0001_parts.sql", first + "CREATE TABLE two ();\n")
    monkeypatch.setattr(module, "known_migrations", lambda: [whole])
    assert await migrate(empty_database) == ["0001_parts.sql"]


async def test_a_table_in_use_does_not_make_everybody_queue(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty_database)
    known = known_migrations()
    late = Migration(len(known) + 1, "9999_late.sql", "ALTER TABLE tenants ADD COLUMN more text")
    monkeypatch.setattr(module, "known_migrations", lambda: [*known, late])
    connection = await asyncpg.connect(empty_database)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE tenants IN ACCESS SHARE MODE")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await migrate(empty_database, lock_seconds=0.05)
        assert await migrate(empty_database) == ["9999_late.sql"]
    finally:
        await connection.close()


BUILD = Migration(
    2,
    "0002_build.sql",
    "-- By n.\n\n-- concurrently\nCREATE INDEX CONCURRENTLY IF NOT EXISTS things_by_n ON things (n) WHERE n > 1;\n",
)


@pytest.fixture
async def things(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Connection]:
    """A connection to a database with a table, which the next migration is to build an index for while others write.
    It is in a transaction that has written to that table, and that the build has to wait for."""
    table = Migration(1, "0001_things.sql", "CREATE TABLE things (n integer); INSERT INTO things VALUES (1), (2)")
    monkeypatch.setattr(module, "known_migrations", lambda: [table])
    await migrate(empty_database)
    monkeypatch.setattr(module, "known_migrations", lambda: [table, BUILD])
    writer = await asyncpg.connect(empty_database)
    await writer.execute("BEGIN; INSERT INTO things VALUES (3)")
    yield writer
    await writer.close()


async def is_valid(dsn: str) -> bool | None:
    """Whether the index is; None if there is none."""
    found = await fetch(dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('things_by_n')")
    return bool(found[0][0]) if found else None


async def migrators(dsn: str) -> list[int]:
    """Those that are connected."""
    found = await fetch(dsn, "SELECT pid FROM pg_stat_activity WHERE application_name = 'baton migrate'")
    return [int(str(pid)) for (pid,) in found]


async def test_others_write_while_an_index_is_built(empty_database: str, things: Connection) -> None:
    """Whatever `lock_timeout` is, it waits for the transactions that are under way, and nobody waits for it."""
    building = asyncio.create_task(migrate(empty_database, lock_seconds=0.01))

    async def under_way() -> bool:
        return await is_valid(empty_database) is False

    await eventually(under_way)
    await execute(empty_database, "SET lock_timeout = '5s'", "INSERT INTO things VALUES (4)", "UPDATE things SET n = 5")
    assert not building.done()
    await things.execute("COMMIT")
    assert await building == ["0002_build.sql"]
    assert await is_valid(empty_database)
    assert await migrate(empty_database) == []


async def test_an_index_whose_migrator_was_killed_is_built_anew(empty_database: str, things: Connection) -> None:
    building = asyncio.create_task(migrate(empty_database))

    async def under_way() -> bool:
        return await is_valid(empty_database) is False

    await eventually(under_way)
    (pid,) = await migrators(empty_database)
    await execute(empty_database, f"SELECT pg_terminate_backend({pid})")
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await building
    assert await is_valid(empty_database) is False, "no query uses it, and each write costs more"
    await things.execute("COMMIT")
    assert await migrate(empty_database) == ["0002_build.sql"]
    assert await is_valid(empty_database)


async def test_one_that_was_built_by_hand_is_kept(empty_database: str, things: Connection) -> None:
    """Also if that is still under way."""
    by_hand = asyncio.create_task(execute(empty_database, BUILD.text))

    async def under_way() -> bool:
        return await is_valid(empty_database) is False

    async def waited_for() -> bool:
        looked = "SELECT FROM pg_stat_activity WHERE application_name = 'baton migrate' AND query LIKE '%pg_locks%'"
        return bool(await fetch(empty_database, looked))

    await eventually(under_way)
    oid = await fetch(empty_database, "SELECT to_regclass('things_by_n')::oid")
    building = asyncio.create_task(migrate(empty_database))
    await eventually(waited_for)
    await things.execute("COMMIT")
    await by_hand
    assert await building == ["0002_build.sql"]
    assert await fetch(empty_database, "SELECT to_regclass('things_by_n')::oid") == oid
    assert await is_valid(empty_database)


async def test_who_waits_for_another_migrator_does_not_hold_up_its_index(
    empty_database: str, things: Connection
) -> None:
    """The other one waits for all who hold a snapshot: each would wait for the other."""
    building = [asyncio.create_task(migrate(empty_database)) for _ in range(3)]

    async def all_there() -> bool:
        return await is_valid(empty_database) is False and len(await migrators(empty_database)) == len(building)

    await eventually(all_there)
    await things.execute("COMMIT")
    assert sorted(await asyncio.gather(*building)) == [[], [], ["0002_build.sql"]]
    assert await is_valid(empty_database)


async def test_a_server_that_is_too_old_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "OLDEST", 99)
    with pytest.raises(Unavailable, match=r"the server is PostgreSQL \d\d\.\d+, and Baton needs 99 or newer: upgrade"):
        await migrate(empty_database)
    assert await fetch(empty_database, "SELECT FROM pg_tables WHERE tablename = 'schema_migrations'") == []


@pytest.mark.parametrize(
    "text",
    [
        "CREATE INDEX CONCURRENTLY i ON t (n)",
        "CREATE INDEX IF NOT EXISTS i ON t (n)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (n); SELECT 1",
        "DROP INDEX CONCURRENTLY i",
    ],
)
def test_a_concurrent_part_builds_one_index(text: str) -> None:
    migration = Migration(1, "0001_it.sql", f"SELECT 1;\n-- commit\n-- concurrently\n{text};\n")
    with pytest.raises(ValueError, match=r"0001_it\.sql: a concurrent part is one CREATE INDEX CONCURRENTLY"):
        migration.index_of(migration.parts[-1])
    assert migration.index_of(migration.parts[0]) is None
    assert BUILD.index_of(BUILD.text) == "things_by_n"


async def test_a_schema_of_newer_code_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await migrate(empty_database)
    older = known_migrations()[:-1]
    newest = known_migrations()[-1].name
    monkeypatch.setattr(module, "known_migrations", lambda: older)
    with pytest.raises(SchemaRefused, match=f"newer version of Baton: it has {newest}"):
        await migrate(empty_database)


async def test_a_file_that_was_changed_after_it_ran_is_refused(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty_database)
    first, *rest = known_migrations()
    changed = Migration(first.number, first.name, first.text + "-- and a word more\n")
    late = Migration(len(rest) + 2, "9999_late.sql", "CREATE TABLE late ()")
    monkeypatch.setattr(module, "known_migrations", lambda: [changed, *rest, late])
    with pytest.raises(SchemaRefused, match=r"0001_initial\.sql was changed after it ran"):
        await migrate(empty_database)
    assert await fetch(empty_database, "SELECT FROM pg_tables WHERE tablename = 'late'") == []


async def test_a_database_from_before_checksums_is_taken_over(old_database: str, empty_database: str) -> None:
    assert await migrate(old_database) == [migration.name for migration in known_migrations()[1:]]
    recorded = await fetch(old_database, "SELECT name, checksum FROM schema_migrations ORDER BY number")
    assert recorded == [(migration.name, migration.checksum) for migration in known_migrations()]


@pytest.mark.parametrize(
    ("older", "example"),
    [
        ("ALTER TABLE tasks DROP COLUMN archived_at", "it lacks, .* column tasks.archived_at timestamp"),
        ("ALTER TABLE tasks ADD COLUMN gone text", "it also has, .* column tasks.gone text"),
        ("ALTER TABLE steps ALTER COLUMN text DROP NOT NULL", "it lacks, .* column steps.text text NOT NULL"),
        ("ALTER TABLE turns ALTER COLUMN messages SET DEFAULT 1", "it lacks, .* column turns.messages integer"),
        ("DROP INDEX messages_by_turn", "it lacks, .* index CREATE INDEX messages_by_turn ON messages"),
        ("ALTER TABLE tasks DROP CONSTRAINT tasks_unclaimed_check", "it lacks, .* CHECK .unclaimed >= 0"),
        ("DROP TABLE notes", "it lacks, .* column notes.execution_id"),
    ],
)
async def test_one_with_an_older_schema_is_refused_and_left_alone(old_database: str, older: str, example: str) -> None:
    await execute(old_database, older)
    with pytest.raises(SchemaTooOld, match=f"earlier version of Baton.*{example}"):
        await migrate(old_database)
    assert await fetch(old_database, "SELECT number, name FROM schema_migrations") == [(1, "0001_initial.sql")]
    with pytest.raises(asyncpg.UndefinedColumnError):
        await fetch(old_database, "SELECT checksum FROM schema_migrations")


async def test_states_get_their_constraints_while_others_write(
    old_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are there are checked without keeping anybody from writing beside that."""
    known = known_migrations()
    with monkeypatch.context() as patch:
        patch.setattr(module, "known_migrations", lambda: known[:1])
        await migrate(old_database)
    locking = [part for part in known[1].parts if "VALIDATE" not in part]
    await execute(old_database, *locking)
    writer = await asyncpg.connect(old_database)
    try:
        async with writer.transaction():
            tables = ("executions", "tasks", "messages", "turns", "steps", "tool_calls", "approvals", "events")
            await writer.execute("".join(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE;" for table in tables))
            await execute(old_database, "SET lock_timeout = '1s'", *(p for p in known[1].parts if p not in locking))
    finally:
        await writer.close()
    waiting = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
    assert await fetch(old_database, waiting) == []
    assert await migrate(old_database) == [migration.name for migration in known[1:]]


async def test_the_schema_knows_the_states_that_the_code_knows(database_url: str) -> None:
    known = {
        "executions.state": ExecutionState,
        "tasks.state": TaskState,
        "tasks.rested": TaskState,
        "messages.state": MessageState,
        "turns.state": TurnState,
        "turns.outcome": TaskState,
        "steps.state": StepState,
        "tool_calls.state": CallState,
        "approvals.state": ApprovalState,
        "compactions.reason": CompactionReason,
        "events.task_state": TaskState,
        "events.execution_state": ExecutionState,
    }
    checks = await fetch(
        database_url,
        "SELECT conrelid::regclass || '.' || attname, regexp_matches(pg_get_constraintdef(c.oid), '\\w+(?=[,}])', 'g')"
        "  FROM pg_constraint c JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
        " WHERE contype = 'c' AND conname LIKE '%\\_known'",
    )
    words: dict[object, set[object]] = {}
    for column, found in checks:
        words.setdefault(column, set()).update(found)  # pyright: ignore[reportArgumentType]
    assert words == {column: {str(state) for state in states} for column, states in known.items()}


async def test_a_type_of_event_has_the_form_of_one(database_url: str) -> None:
    form = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'events_type_form'"
    ((check,),) = await fetch(database_url, form)
    connection = await asyncpg.connect(database_url)
    try:
        statement = f"SELECT type FROM unnest($1::text[]) AS type WHERE NOT ({str(check).removeprefix('CHECK ')})"
        types = [str(kind) for kind in EventType]
        refused = await connection.fetch(statement, [*types, "of.newer_code", "other", "Turn.Ended", "turn.ended ", ""])
    finally:
        await connection.close()
    assert [row["type"] for row in refused] == ["other", "Turn.Ended", "turn.ended ", ""]


def test_what_has_been_published_stays_as_it_is() -> None:
    assert {migration.name: migration.checksum for migration in known_migrations()} == PUBLISHED
