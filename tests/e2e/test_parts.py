"""Do the parts of a local stack do what the rest relies on?"""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest

from baton.localstack.part import Part, PartFailed, start
from baton.service.namespace import SEARCH_ATTRIBUTES, register_search_attributes
from tests.support.postgres import PostgresServer
from tests.support.temporal import RunningTemporal


async def test_a_fresh_database_has_the_schema(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM schema_migrations") > 0
        assert await connection.fetchval("SHOW server_version_num") >= "180000"
    finally:
        await connection.close()


async def test_databases_are_apart(postgres: PostgresServer) -> None:
    one, other = await postgres.create_database(migrated=False), await postgres.create_database(migrated=False)
    connection = await asyncpg.connect(one)
    await connection.execute("CREATE TABLE mine ()")
    await connection.close()
    connection = await asyncpg.connect(other)
    with pytest.raises(asyncpg.UndefinedTableError):
        await connection.execute("SELECT FROM mine")
    await connection.close()


async def test_search_attributes_can_be_registered_again(temporal_server: RunningTemporal) -> None:
    await register_search_attributes(temporal_server.client)
    for name in SEARCH_ATTRIBUTES:
        assert (await temporal_server.client.count_workflows(f"{name} = 'nobody'")).count == 0


async def _always(_pid: int) -> bool:
    return True


async def _never(_pid: int) -> bool:
    return False


def _shell(script: str, tmp_path: Path) -> Part:
    return Part(name="shell", command=["sh", "-c", script], log=tmp_path / "log", is_up=_never)


async def test_a_part_that_ends_too_soon_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(
        PartFailed, match=r"shell ended with exit code 3 before it was up; its log is .*:\nno such luck"
    ):
        await start(_shell("echo no such luck >&2; exit 3", tmp_path))


async def test_a_part_that_does_not_come_up_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match="shell was not up within 1 s"):
        await start(replace(_shell(f"echo $$ > {tmp_path}/pid; sleep 600", tmp_path), up_seconds=1))
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


async def test_one_that_ignores_the_signal_is_killed_with_all_it_started(tmp_path: Path) -> None:
    script = f"trap '' TERM; sleep 600 & echo $! > {tmp_path}/child; while true; do sleep 0.1; done"
    running = await start(replace(_shell(script, tmp_path), is_up=_always, stop_seconds=0.5))
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        await asyncio.sleep(0.02)
    child = psutil.Process(int((tmp_path / "child").read_text()))
    began = time.monotonic()
    await running.stop()
    assert 0.5 <= time.monotonic() - began < 20
    assert not psutil.pid_exists(running.pid)
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.02)
