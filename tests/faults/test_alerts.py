"""Does each alert fire in a real Prometheus, by the fault that it is for, and does the dashboard show something?

`alerts` says which test fires which alert. What each of them breaks is mended at its end; the last one sees all alerts
end.
"""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from baton.runtime.installation import worker_command
from tests.faults.alerts import FIRED
from tests.faults.planted import plants
from tests.faults.workload import Workload
from tests.support.environment import without_settings
from tests.support.openai_server import OpenAIServer, Reply
from tests.support.prometheus import Prometheus, free_port, running_prometheus, shortened
from tests.support.stack import DevStack, running_stack

_DEPLOY: Final = Path(__file__).resolve().parents[2] / "deploy"
#: What has to last for minutes, in seconds; and as few failures as an outage of a moment brings about.
_THRESHOLDS: Final = {
    "max(baton_oldest_unprocessed_seconds) > 600": "max(baton_oldest_unprocessed_seconds) > 5",
    "max by (queue) (baton_unheard_seconds) > 60": "max by (queue) (baton_unheard_seconds) > 5",
    "max(baton_astray_seconds) > 60": "max(baton_astray_seconds) > 5",
    "max(baton_relay_lag_seconds) > 60": "max(baton_relay_lag_seconds) > 5",
    "time() - max(baton_backlog_timestamp_seconds) > 120": "time() - max(baton_backlog_timestamp_seconds) > 5",
    'model_unavailable|model_rate_limited"}[40s])) > 3': 'model_unavailable|model_rate_limited"}[40s])) > 1',
}
_STREAMS: Final = 10
#: More than the activities that a worker accepts: its slots for steps, and a hundred that only write.
_PLANS: Final = 130
_PLAN: Final[dict[str, Any]] = {
    "title": "A plan",
    "team_breakdown": [
        {"team_name": "a", "tasks": [{"id": 1, "title": "a task", "description": "!say done", "dependencies": []}]}
    ],
}

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed"),
]


@dataclass(frozen=True, slots=True)
class Watched:
    """A stack and a Prometheus that reads it. ``planted``: where a file plants what it names in the workers."""

    stack: DevStack
    prometheus: Prometheus
    planted: Path


@pytest.fixture(scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory, provider: OpenAIServer) -> AsyncGenerator[Watched]:
    """A stack with little room, and a Prometheus that reads it."""
    directory = tmp_path_factory.mktemp("watched")
    planted = directory / "planted"
    planted.mkdir()
    ports = {"baton-api": free_port(), "baton-worker": free_port()}
    environment = {
        "BATON_METRICS_PORT": str(ports["baton-api"]),
        "BATON_WORKER_PORT": str(ports["baton-worker"]),
        "BATON_METRICS_INTERVAL_SECONDS": "1",
        "BATON_MODEL_HOSTS": '["127.0.0.1"]',
        "BATON_MODEL_KEYS": '["NO_SUCH_KEY"]',
        "OPENAI_BASE_URL": provider.url,
        "OPENAI_API_KEY": "sk-of-the-tests-0123456789",
        "BATON_MAX_CONCURRENT_ACTIVITIES": "4",
        "BATON_MAX_CACHED_WORKFLOWS": "4",
        "BATON_WORKER_SHUTDOWN_SECONDS": "60",
        "BATON_MAX_STREAMS": str(_STREAMS),
        "BATON_PLANTED": str(planted),
        "PYTHONPATH": str(Path(plants.__file__).parent),
    }
    rules = shortened((_DEPLOY / "prometheus/alerts.yaml").read_text(), _THRESHOLDS)
    async with (
        running_stack(directory / "stack", environment=environment) as stack,
        running_prometheus(directory / "prometheus", ports, rules) as prometheus,
    ):
        yield Watched(stack, prometheus, planted)


@pytest.fixture
async def work(watched: Watched) -> AsyncGenerator[Workload]:
    """A sender of this module's stack."""
    async with watched.stack.client() as client:
        yield Workload(client)


@pytest.fixture
async def fired(request: pytest.FixtureRequest, watched: Watched) -> frozenset[str]:
    """The alerts that a test is to fire, none of which fires when it begins."""
    alerts = FIRED[request.node.name]
    await watched.prometheus.until_quiet(*alerts)
    return alerts


async def _agent(work: Workload, name: str, **body: Any) -> str:
    made = await work.client.post("/baton/v1/agents", json={"name": name, **body})
    assert made.status_code == 201, made.text
    return name


async def _waiting(work: Workload, number: int) -> list[str]:
    """So many tasks that wait for an answer."""
    tasks = [(await work.start("!ask Who?"))["id"] for _ in range(number)]
    for task in tasks:
        await work.until(task, "waiting")
    return tasks


@asynccontextmanager
async def _standing_still(stack: DevStack, part: str) -> AsyncGenerator[None]:
    stack.send_signal(part, signal.SIGSTOP)
    try:
        yield
    finally:
        stack.send_signal(part, signal.SIGCONT)


async def test_the_dashboard_shows_something_and_nothing_fires_while_all_is_well(
    watched: Watched, work: Workload
) -> None:
    for _ in range(2):  # a rate needs two values
        for prompt in ("!say hello", "!ask who?", "!tool clock {}", "!fail 1 oops\n!say well"):
            task = await work.start(prompt)
        assert (await work.send(task["id"], "!say hi")).is_success
        await watched.prometheus.http.get("/-/ready")
    panels = json.loads((_DEPLOY / "grafana/baton.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(expressions) > 30
    left = [text.replace("$__rate_interval", "30s") for text in expressions]
    for _ in range(60):
        left = [text for text in left if not await watched.prometheus.query(text)]
        if not left:
            break
    assert left == []
    assert await watched.prometheus.firing() == set()


async def test_agents_that_cannot_go_on(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    thrifty = await _agent(work, "thrifty", model="scripted", limits={"max_calls": 1}, tools=["clock"])
    local = {"base_url": f"http://127.0.0.1:{free_port()}/v1"}
    away = await _agent(work, "away", model="openai:gpt-4o", model_settings=local)
    keyless = await _agent(work, "keyless", model="openai:gpt-4.1", model_settings={"api_key": "env:NO_SUCH_KEY"})
    await work.start("!tool clock {}\n!tool clock {}\n!say done", thrifty)
    retried = await work.start("hello", away)
    await work.start("hello", keyless)
    await watched.prometheus.until_firing(*fired)
    assert (await work.client.post(f"/baton/v1/tasks/{retried['id']}/cancel")).is_success


async def test_more_workflows_than_are_cached(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    tasks = await _waiting(work, 10)
    fire = asyncio.create_task(watched.prometheus.until_firing(*fired))
    while not fire.done():
        for task in tasks:
            await work.send(task, "!ask And you?")
        for task in tasks:
            await work.until(task, "waiting")
    await fire


async def test_more_work_and_more_readers_than_fit(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    tasks = [await work.start("!sleep 10") for _ in range(5)]

    async def read() -> None:
        async with work.client.stream("GET", f"/baton/v1/tasks/{tasks[0]['id']}/events", timeout=None) as stream:
            async for _ in stream.aiter_lines():
                pass

    async with asyncio.TaskGroup() as readers:
        reading = [readers.create_task(read()) for _ in range(_STREAMS)]
        await watched.prometheus.until_firing(*fired)
        for one in reading:
            one.cancel()
    for task in tasks:
        await work.until(task["id"], "succeeded")


async def test_workflow_code_that_does_not_fit_histories(
    watched: Watched, work: Workload, fired: frozenset[str]
) -> None:
    (task,) = await _waiting(work, 1)
    (watched.planted / plants.CHANGED).touch()
    try:
        await watched.stack.kill_and_wait("worker")
        await work.send(task, "me")
        await watched.prometheus.until_firing(*fired)
        await work.until(task, "succeeded")
    finally:
        (watched.planted / plants.CHANGED).unlink()


async def test_workflow_code_that_fails(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    (watched.planted / plants.BROKEN).touch()
    try:
        task = await work.start("!say done")
        await watched.prometheus.until_firing(*fired)
    finally:
        (watched.planted / plants.BROKEN).unlink()
    await work.until(task["id"], "succeeded")


async def test_a_worker_that_stops_and_does_not_end(
    watched: Watched, work: Workload, provider: OpenAIServer, fired: frozenset[str]
) -> None:
    """A model call keeps it, as it may for `BATON_WORKER_SHUTDOWN_SECONDS`."""
    slow = await _agent(work, "slow", model="openai-chat:gpt-5-mini")
    provider.asked.clear()
    provider.reply(Reply(("word ",) * 120, token_seconds=0.25))
    task = await work.start("hello", slow)
    async with asyncio.timeout(30):
        while not provider.asked:
            await asyncio.sleep(0.05)
    old = watched.stack.send_signal("worker", signal.SIGTERM)
    await watched.prometheus.until_firing(*fired)
    await watched.stack.restarted("worker", old)
    await work.until(task["id"], "succeeded")


async def test_temporal_that_dies_again_and_again(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    tasks = await _waiting(work, 12)
    fire = asyncio.create_task(watched.prometheus.until_firing(*fired))
    while not fire.done():
        old = watched.stack.send_signal("temporal")
        for task in tasks:
            await work.send(task, "!ask And you?")
        await watched.stack.restarted("temporal", old)
    await fire
    for task in tasks:
        await work.until(task, "waiting")


async def test_postgresql_that_is_killed(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    old = watched.stack.send_signal("postgres")
    answers = [(await work.client.get("/baton/v1/tasks")).status_code for _ in range(20)]
    await watched.stack.restarted("postgres", old)
    assert 503 in answers
    await watched.prometheus.until_firing(*fired)


async def test_a_worker_that_stands_still(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    (task,) = await _waiting(work, 1)
    async with _standing_still(watched.stack, "worker"):
        await work.send(task, "me")
        await watched.prometheus.until_firing(*fired)
    await work.until(task, "succeeded")


async def test_tables_that_are_locked(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    """As by an index that is made in a way that lets nobody write, then by a change of the tables."""
    (task,) = await _waiting(work, 1)
    connection = await asyncpg.connect(watched.stack.ready["postgres_dsn"])
    async with _closed(connection), connection.transaction():
        async with _standing_still(watched.stack, "worker"):
            started = [await work.client.post("/baton/v1/executions", json={"plan": _PLAN}) for _ in range(_PLANS)]
            assert {one.status_code for one in started} == {201}
            await connection.execute("LOCK TABLE executions, tasks IN SHARE MODE")
            await watched.prometheus.until_firing("BatonRelayLag")
        await connection.execute("LOCK TABLE executions, tasks IN ACCESS EXCLUSIVE MODE")
        await watched.prometheus.until_firing("BatonBacklogUnknown", "BatonNoSlots", "BatonDatabaseSlow")
        sends = [asyncio.create_task(work.send(task, f"!ask {n}?")) for n in range(3)]
        await asyncio.wait(sends, timeout=3)
    assert all(send.is_success for send in await asyncio.gather(*sends))
    await watched.prometheus.until_firing(*fired - {"BatonRelayLag", "BatonBacklogUnknown", "BatonNoSlots"})
    await _until_succeeded(work, [one.json()["id"] for one in started])


async def test_a_queue_that_nobody_serves(watched: Watched, work: Workload, fired: frozenset[str]) -> None:
    """No alert of a queue without workers: a caller has misspelt it. A worker that comes at last works it off."""
    body = {"prompt": "!say done", "queue": "misspelt"}
    started = (await work.client.post("/baton/v1/executions", json=body)).json()
    await watched.prometheus.until_firing(*fired)
    assert "BatonNoWorker" not in await watched.prometheus.firing()
    ready = watched.stack.ready
    servers = {"DATABASE_URL": ready["postgres_dsn"], "TEMPORAL_ADDRESS": ready["temporal_address"]}
    worker = await asyncio.create_subprocess_exec(
        *worker_command(),
        env={**without_settings(), **servers, "BATON_WORKER_QUEUES": '["misspelt"]'},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_succeeded(work, [started["id"]])
    finally:
        worker.terminate()
        await worker.wait()


@asynccontextmanager
async def _closed(connection: "asyncpg.Connection[asyncpg.Record]") -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await connection.close()


async def _until_succeeded(work: Workload, executions: Sequence[str]) -> None:
    async with asyncio.timeout(180):
        for execution in executions:
            while (await work.client.get(f"/baton/v1/executions/{execution}")).json()["state"] != "succeeded":
                await asyncio.sleep(0.2)


async def test_all_alerts_end_when_all_is_mended(watched: Watched) -> None:
    """Each has fired before this, and each must have ended."""
    await watched.prometheus.until_quiet()
    assert await watched.prometheus.fired() >= frozenset[str]().union(*FIRED.values())
