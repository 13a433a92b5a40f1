"""A PostgreSQL for the tests of this process, and a fresh database for each test."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from baton.localstack.part import start
from baton.localstack.postgres import Postgres
from baton.store.migrate import migrate

_TEMPLATE = "baton_template"
#: Nothing here needs to survive a power cut.
_FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "400"}


class PostgresServer:
    """A running server whose template database has Baton's schema."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._numbers = itertools.count(1)

    def dsn(self, database: str = "postgres") -> str:
        """Where ``database`` is."""
        return self._server.dsn(database)

    async def make_template(self) -> None:
        """Migrate the template. Nobody may be connected to it afterwards."""
        await self._server.create_database(_TEMPLATE)
        await migrate(self.dsn(_TEMPLATE))

    async def create_database(self, *, migrated: bool = True) -> str:
        """The DSN of a new database: with Baton's schema, or empty."""
        name = f"test_{next(self._numbers)}"
        template = f"TEMPLATE {_TEMPLATE}" if migrated else ""
        # Its checkpoints cost little where nothing is synced: half of what it costs to log each page.
        await self._execute(f"CREATE DATABASE {name} {template} STRATEGY file_copy")
        return self.dsn(name)

    async def create_user(self, name: str, password: str) -> None:
        """A user who must give a password, of this test process alone."""
        await self._execute(f"DROP ROLE IF EXISTS {name}")
        await self._execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        access = self._server.directory / "pg_hba.conf"
        access.write_text(f"local all {name} scram-sha-256\n{access.read_text()}")
        await self._execute("SELECT pg_reload_conf()")

    async def drop_database(self, dsn: str) -> None:
        """Drop what `create_database` made, whoever is still connected."""
        name = dsn.split("@/")[1].split("?")[0]
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.dsn())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def running_postgres(directory: Path, installation: Path | None = None) -> AsyncGenerator[PostgresServer]:
    """A server with its data in ``directory``, stopped at the end. ``installation``: of another than the usual one."""
    server = Postgres(directory / "data", directory / "postgres.log", _FAST, installation)
    running = await start(await server.part())
    try:
        postgres = PostgresServer(server)
        await postgres.make_template()
        yield postgres
    finally:
        await running.stop()
        server.close()
