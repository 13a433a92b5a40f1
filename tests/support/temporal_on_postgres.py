"""Temporal as in production: its own server, with its histories and queues in PostgreSQL. Built with Go once (minutes),
and kept where `make setup` keeps what it has fetched.

What it lists is in SQLite: the embedded PostgreSQL lacks the extension `btree_gin`, which that schema wants.
"""

import asyncio
import json
import os
import random
import shutil
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client

from baton.localstack.part import Part, start
from baton.localstack.ports import HeldPort, hold_port, listens
from baton.localstack.postgres import Postgres
from baton.localstack.temporal import DYNAMIC_CONFIGURATION
from baton.localstack.temporal_binary import cache_directory
from baton.service.namespace import ensure_namespace, register_search_attributes
from tests.support.temporal import RunningTemporal

VERSION: Final = "v1.29.1"
_MODULE: Final = "go.temporal.io/server"
_DATABASE: Final = "temporal"
_SERVICES: Final = ("frontend", "matching", "history", "worker")


def build() -> Path | None:
    """Where `server` and `sql`, its tool for schemas, are; None where they are not and cannot be built."""
    directory = cache_directory() / "temporal-server"
    if not all((directory / name).exists() for name in ("server", "sql")):
        if shutil.which("go") is None:
            return None
        packages = [f"{_MODULE}/cmd/server@{VERSION}", f"{_MODULE}/cmd/tools/sql@{VERSION}"]
        for package in packages:
            subprocess.run(["go", "install", package], check=True, env={**os.environ, "GOBIN": str(directory)})
    return directory


@asynccontextmanager
async def running_temporal_on_postgres(programs: Path, directory: Path) -> AsyncGenerator[RunningTemporal]:
    """A server with all four services in one process, and a PostgreSQL of its own."""
    postgres = Postgres(directory / "postgres", directory / "postgres.log", {"max_connections": "100"})
    database = await start(await postgres.part())
    ports = [_hold_port() for _ in range(8)]
    try:
        host = postgres.dsn("x").partition("?host=")[2]
        await postgres.create_database(_DATABASE)
        where = ["--plugin", "postgres12_pgx", "--ep", "localhost", "-p", "5432", "-u", "baton", "--pw", "none"]
        tool = [str(programs / "sql"), *where, "--db", _DATABASE, "--connect-attributes", f"host={host}"]
        await _run([*tool, "setup-schema", "-v", "0.0"])
        await _run([*tool, "update-schema", "-d", str(_schema())])
        numbers = [port.number for port in ports]
        config = directory / "config"
        config.mkdir()
        (config / "dynamic.yaml").write_text(
            json.dumps({name: [{"value": json.loads(value)}] for name, value in DYNAMIC_CONFIGURATION.items()})
        )
        (config / "development.yaml").write_text(json.dumps(_configuration(host, numbers, config)))
        address = f"127.0.0.1:{numbers[0]}"
        server = await start(
            Part(
                name="temporal",
                command=[str(programs / "server"), "--root", str(directory), "--allow-no-auth", "start"],
                log=directory / "temporal.log",
                is_up=lambda pid: _is_up(pid, numbers[0], address),
                stop_seconds=10.0,
            )
        )
        try:
            client = await Client.connect(address)
            await ensure_namespace(client)
            await register_search_attributes(client, seconds=90)
            yield RunningTemporal(address, "", client)
        finally:
            await server.stop()
    finally:
        for port in ports:
            port.release()
        await database.stop()
        postgres.close()


def _configuration(host: str, ports: Sequence[int], directory: Path) -> dict[str, Any]:
    histories = {
        "pluginName": "postgres12_pgx",
        "databaseName": _DATABASE,
        "connectAddr": "localhost:5432",
        "connectProtocol": "tcp",
        "connectAttributes": {"host": host},  # its socket's directory
        "user": "baton",
        "password": "none",
        "maxConns": 20,
        "maxIdleConns": 20,
    }
    lists = {
        "pluginName": "sqlite",
        "databaseName": str(directory / "visibility.db"),
        "connectAddr": "localhost",
        "connectProtocol": "tcp",
        "connectAttributes": {"cache": "private", "setup": "true", "journal_mode": "wal", "synchronous": "1"},
        "maxConns": 1,
        "maxIdleConns": 1,
    }

    def rpc(n: int) -> dict[str, Any]:
        return {"grpcPort": ports[n], "membershipPort": ports[4 + n], "bindOnLocalHost": True}

    return {
        "log": {"stdout": True, "level": "warn"},
        "persistence": {
            "defaultStore": "default",
            "visibilityStore": "visibility",
            "numHistoryShards": 4,
            "datastores": {"default": {"sql": histories}, "visibility": {"sql": lists}},
        },
        "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": "127.0.0.1"}},
        "services": {name: {"rpc": rpc(n)} for n, name in enumerate(_SERVICES)},
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {
                "active": {
                    "enabled": True,
                    "initialFailoverVersion": 1,
                    "rpcName": "frontend",
                    "rpcAddress": f"127.0.0.1:{ports[0]}",
                }
            },
        },
        "dynamicConfigClient": {"filepath": str(directory / "dynamic.yaml"), "pollInterval": "10s"},
    }


def _schema() -> Path:
    modules = subprocess.run(["go", "env", "GOMODCACHE"], check=True, capture_output=True, text=True).stdout.strip()
    return Path(modules) / f"{_MODULE}@{VERSION}" / "schema" / "postgresql" / "v12" / "temporal" / "versioned"


def _hold_port() -> HeldPort:
    """A port that fits into the column where the server notes its members'."""
    while (port := hold_port(random.randrange(10_000, 32_000))).number > 32_767:
        port.release()
    return port


async def _run(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def _is_up(pid: int, port: int, address: str) -> bool:
    if not listens(pid, port):
        return False
    try:
        async with asyncio.timeout(2):
            client = await Client.connect(address)
            return await client.service_client.check_health()
    except (RuntimeError, TimeoutError):
        return False
