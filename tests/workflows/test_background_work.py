"""Relay and sweeper outlive whatever goes wrong: without them a lost ring is never rung again."""

import pytest

from tests.support.postgres import PostgresServer
from tests.support.system import eventually, running_system
from tests.support.temporal import RunningTemporal

#: What no outage and no other schema says: every change of a task raises an error, also one of none.
_BREAK = """
    CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$;
    CREATE TRIGGER broken BEFORE UPDATE ON tasks FOR EACH STATEMENT EXECUTE FUNCTION break();
"""


async def test_an_error_that_nobody_foresaw_does_not_end_them(
    postgres: PostgresServer, temporal_server: RunningTemporal, caplog: pytest.LogCaptureFixture
) -> None:
    dsn = await postgres.create_database()
    async with running_system(
        dsn, temporal_server, relay_interval_seconds=0.05, sweep_interval_seconds=0.05, sweep_silent_seconds=0.1
    ) as system:
        async with system.baton.pool.connection() as connection:
            await connection.execute(_BREAK)
        await eventually(lambda: _said(caplog, "relay failed", "sweeper failed"))
        async with system.baton.pool.connection() as connection:
            await connection.execute("DROP TRIGGER broken ON tasks")
        task = await system.start("!ask go?")
        await system.until(task, "waiting")
        async with system.baton.pool.connection() as connection:  # committed, and nobody was told
            await connection.execute(
                "UPDATE tasks SET state = 'running', version = version + 1, open_questions = '[]', ring_at = now()"
                " WHERE id = $1",
                task,
            )
        await system.until(task, "succeeded")


async def _said(caplog: pytest.LogCaptureFixture, *messages: str) -> bool:
    return all(message in caplog.text for message in messages)
