"""Does a look at the database cost little, and say what is wrong with it?"""

from typing import Any

import pytest

from baton.domain.health import CheckStatus
from baton.service.checks.database import database_checks
from baton.store import health
from baton.store.pool import Connection, Pool


async def test_a_look_asks_each_connection_once(
    shared_database: str, shared_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool's and a new one: what the server is, which migration ran last, and whether it commits."""
    asked: list[str] = []

    def counted(run: Any) -> Any:
        async def call(connection: Connection, name: str, **arguments: object) -> object:
            asked.append(name)
            return await run(connection, name, **arguments)

        return call

    for name in ("fetchrow", "fetchval"):
        monkeypatch.setattr(health, name, counted(getattr(health, name)))
    found = await database_checks(shared_database, shared_pool)
    assert [(check.name, check.status) for check in found] == [
        ("database", CheckStatus.OK),
        ("schema", CheckStatus.OK),
    ]
    assert asked == ["server_state", "schema_number", "write_nothing"] * 2


async def test_an_error_of_the_driver_is_a_finding(shared_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one over a new connection, which no pool translates."""

    async def not_readable(connection: Connection, *_: object) -> object:
        return await connection.fetchval("SELECT * FROM no_such_table")

    monkeypatch.setattr(health, "fetchrow", not_readable)
    (found,) = await database_checks(shared_database)
    assert (found.name, found.fault) == ("database", "schema_old")
