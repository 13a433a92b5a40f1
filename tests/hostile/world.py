"""An API process of its own, and a tenant with a task in every state, to be asked the wrong things."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import psutil
from fastapi.routing import APIRoute

from api.app import BatonApp, create_app
from api.dialects import all_dialects
from baton.domain.agents import Scope
from baton.domain.quota import UNLIMITED
from baton.settings import Settings
from baton.store.pool import open_pool
from tests.dialects.requests import start_plan, start_task, task_ids
from tests.dialects.test_approvals import hold
from tests.dialects.test_artifacts import set_apart_by_a_call
from tests.dialects.test_compactions import compact
from tests.support.api import NOWHERE, RunningApi
from tests.support.environment import without_settings
from tests.support.keys import create_key, list_keys

_ROOT: Final = Path(__file__).resolve().parents[2]
_SCHEMA: Final = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@dataclass(frozen=True)
class Target:
    """A running API process. ``api`` has no application of its own: it is elsewhere."""

    api: RunningApi
    process: psutil.Process
    log: Path

    @property
    def resident_bytes(self) -> int:
        """The memory that the process has."""
        return self.process.memory_info().rss


@asynccontextmanager
async def api_process(dsn: str, directory: Path, **settings: str) -> AsyncGenerator[Target]:
    """An API on ``dsn``, without Temporal, with the keys of a tenant."""
    variables = without_settings()
    variables |= {"DATABASE_URL": dsn, "TEMPORAL_ADDRESS": NOWHERE, "TEMPORAL_CONFIG_FILE": os.devnull} | settings
    log = directory / "api.log"
    with log.open("wb") as stderr:
        started = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "baton.cli", "api", "--host", "127.0.0.1", "--port", "0"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=_ROOT,
            env=variables,
        )
    assert started.stdout is not None
    pool = await open_pool(dsn, min_size=1, max_size=4, application="test")
    try:
        said = (await asyncio.wait_for(started.stdout.readline(), 60)).decode().split()
        assert said[:2] == ["Listening", "on"], log.read_text()
        tenant, other = f"acme-{uuid4()}", f"globex-{uuid4()}"
        keys = [await create_key(pool, name, tuple(Scope), per_minute=UNLIMITED) for name in (tenant, other)]
        api = RunningApi(f"http://{said[2]}", cast("BatonApp", None), pool, Settings(), tenant, keys[0], other, keys[1])
        yield Target(api, psutil.Process(started.pid), log)
        await api.close_clients()
    finally:
        await pool.close()
        if started.returncode is None:
            started.terminate()
        await started.wait()


def routes() -> Iterator[tuple[str, str, str, list[str]]]:
    """Every mounted route: its dialect, its method, its path, its query's parameters."""
    for dialect in all_dialects():
        for route in dialect.app.routes:
            if isinstance(route, APIRoute):
                query = [parameter.alias for parameter in route.dependant.query_params]
                for method in sorted(route.methods or ()):
                    yield dialect.name, method, route.path, query


def dialect_finder() -> Callable[[str], str]:
    """A function that says whose path a path is: a dialect's name, or "" for nobody's."""
    app = create_app(Settings())
    names = {id(dialect.app): dialect.name for dialect in app.dialects}
    return lambda path: names.get(id(app.find(path)), "")


async def tasks_in_every_state(api: RunningApi) -> list[dict[str, Any]]:
    """What the table's `$NAMES` stand for, once for each state that a task can be in."""
    found: list[dict[str, Any]] = []
    for state in (
        "pending",
        "running",
        "waiting",
        "ruled",
        "approval",
        "paused",
        "succeeded",
        "failed",
        "cancelled",
        "dead",
    ):
        names = await _names(api, state)
        found.append(names)
    return found


async def _names(api: RunningApi, state: str) -> dict[str, Any]:
    http = api.http
    task = (await start_task(http, "!say hi"))["tasks"][0]
    plan = await start_plan(http)
    sent = (await http.post(f"/baton/v1/tasks/{task['id']}/messages", json={"text": "x"})).json()["id"]
    approval = str(uuid4())
    if state == "approval":
        task = (await start_task(http))["tasks"][0]
        approval = (await hold(api, task["id"]))[0]["id"]
    artifact = await set_apart_by_a_call(api, (await start_task(http))["tasks"][0]["id"])
    if state in ("waiting", "paused", "succeeded"):
        await compact(api, task["id"])
    plan_task = (await task_ids(http, plan))[1]
    await _bring(api, state, task["id"])
    if state != "approval":
        await _bring(api, state, plan_task)
    name = str(uuid4())
    await create_key(api.pool, api.tenant, name=name)
    (key,) = [one for one in await list_keys(api.pool, api.tenant) if one.name == name]
    return {
        "EXECUTION": task["execution_id"],
        "TASK": task["id"],
        "TASK_NUMBER": task["number"],
        "PLAN": plan,
        "PLAN_TASK": plan_task,
        "MESSAGE": sent,
        "APPROVAL": approval,
        "ARTIFACT": artifact,
        "NUMBER": 1,
        "AGENT": task["agent"]["id"],
        "AGENT_NUMBER": task["agent"]["number"],
        "KEY": str(key.id),
        "NEW": name,
        "ONE": 1,
    }


async def _bring(api: RunningApi, state: str, task: str) -> None:
    match state:
        case "waiting":
            await api.ask(task, "Which?")
        case "ruled":
            await api.ask(task, "How many?", schema=_SCHEMA)
        case "paused" | "cancelled":
            verb = {"paused": "pause", "cancelled": "cancel"}[state]
            await api.set_task(task, state="running")
            assert (await api.http.post(f"/baton/v1/tasks/{task}/{verb}")).status_code == 200
        case "pending" | "running" | "succeeded" | "failed":
            await api.set_task(task, state=state)
        case _:
            pass
