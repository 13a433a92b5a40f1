"""Does a worker say at its port whether it can work, and what is wrong, from what it has looked at before?"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

import worker
from baton.domain.health import Check, CheckStatus
from baton.runtime.loop import Loop
from baton.service import health, starts
from baton.service.doctor import diagnose
from baton.service.health import API_NEEDS, WORKER_NEEDS, Monitor
from baton.settings import Settings
from baton.store.pool import open_pool
from tests.support.api import NOWHERE
from tests.support.system import System, eventually
from tests.support.temporal import RunningTemporal


@asynccontextmanager
async def _worker(
    dsn: str, caplog: pytest.LogCaptureFixture, **settings: Any
) -> AsyncGenerator[tuple[httpx.AsyncClient, asyncio.Event, Settings]]:
    """A worker in this process, a client of its port, and what tells it to stop."""
    configured = Settings(database_url=SecretStr(dsn), task_queue=f"test-{uuid4()}", worker_port=0, **settings)
    stop = asyncio.Event()
    serving = asyncio.create_task(worker.serve(configured, stop=stop))

    async def port() -> str | None:
        found = re.search(r"health is at (http://\S+)/readyz", caplog.text)
        return found[1] if found else None

    try:
        async with httpx.AsyncClient(base_url=await eventually(port), trust_env=False) as client:
            yield client, stop, configured
    finally:
        stop.set()
        await serving


async def test_a_worker_tells_what_it_waits_for_then_that_it_is_ready(
    database_url: str,
    temporal_server: RunningTemporal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOWHERE)
    async with _worker(database_url, caplog) as (client, _, settings):

        async def waits() -> bool:
            answer = await client.get("/readyz")
            assert answer.status_code == 503
            return answer.json()["checks"][0].get("code") == "temporal_away"

        await eventually(waits)
        assert (await client.get("/livez")).json()["status"] == "ok", "waiting is no reason to be restarted"
        monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)

        async def ready() -> dict[str, Any] | None:
            answer = await client.get("/readyz")
            checks = {check["name"]: check["status"] for check in answer.json()["checks"]}
            return checks if answer.status_code == 200 and checks["pollers"] == "ok" else None

        assert set((await eventually(ready)).values()) == {"ok"}
        line = await client.get("/readyz", headers={"Accept": "text/plain"})
        assert line.text == "worker is ready | ok\n"
        told = {check.name: check for check in await diagnose(settings, None, [str(client.base_url)])}
        assert told["catalog"].status is CheckStatus.OK
        assert told["pollers"].status is CheckStatus.OK
        assert told[f"worker {client.base_url}: process"].status is CheckStatus.OK


async def test_readiness_is_red_as_soon_as_the_process_is_to_stop(system: System) -> None:
    monitor = Monitor("api", system.baton.settings, API_NEEDS)
    assert not monitor.report().ready, "it has looked at nothing yet"
    monitor.start(system.baton.pool, system.baton.client)
    assert (await monitor.first()).ready
    monitor.drain()
    report = monitor.report()
    assert (report.ready, report.checks[0].fault) == (False, "stopping")
    await monitor.close()


async def test_asking_looks_at_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often strangers ask: what they are told was found before."""
    await system.baton.health.first()
    looked: list[str] = []

    async def look(*_: object, **__: object) -> list[Check]:
        looked.append("something")
        return []

    monkeypatch.setattr(health, "database_checks", look)
    monkeypatch.setattr(health, "temporal_checks", look)
    pages = health.health_pages(system.baton.health)
    answers = [await pages["/readyz"]("") for _ in range(1000)]
    assert {answer.status for answer in answers} == {200}
    assert looked == []


async def test_a_password_that_was_rotated_is_a_warning_while_connections_last(
    database_url: str, temporal_server: RunningTemporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    pool = await open_pool(database_url, min_size=1, max_size=1)
    rotated = Settings(database_url=SecretStr(database_url.replace("//baton@", "//nobody:hunter2@")))
    monitor = Monitor("worker", rotated, WORKER_NEEDS)
    monitor.start(pool, temporal_server.client, Loop("relay", None, asyncio.Event().wait))
    found = {check.name: check for check in (await monitor.look()).checks}
    assert (found["database"].status, found["schema"].status) == (CheckStatus.WARNING, CheckStatus.OK)
    assert "still work" in found["database"].reason
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await monitor.close()
    await pool.close()


async def test_a_full_disk_is_found_by_writing(
    database_url: str, temporal_server: RunningTemporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function that the check commits with fails as it does where no write-ahead log can be written."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    pool = await open_pool(database_url, min_size=1, max_size=1)
    async with pool.connection() as connection:
        await connection.execute(
            "CREATE FUNCTION public.pg_logical_emit_message(boolean, text, text) RETURNS pg_lsn LANGUAGE plpgsql AS"
            " $$BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END$$"
        )
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    await pool.close()
    monitor = Monitor("worker", Settings(database_url=SecretStr(database_url)), WORKER_NEEDS)
    report = await monitor.look()
    (found,) = [check for check in report.checks if check.name == "database"]
    assert (found.fault, report.ready) == ("database_full", False)


async def test_who_starts_on_a_queue_without_workers_is_told(system: System) -> None:
    async def served() -> bool:
        return await system.baton.runs.last_poll(system.queue) is not None

    await eventually(served)
    started = await starts.start_task(system.baton, system.who, "!say x", title="x", queue=system.queue)
    assert (started.unserved, started.warnings) == ("", ())
    nobody = f"nobody-{uuid4()}"
    started = await starts.start_task(system.baton, system.who, "!say x", title="x", queue=nobody)
    assert nobody in started.unserved
    assert started.warnings == (started.unserved,)
