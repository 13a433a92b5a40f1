"""Do alerts fire in a real Prometheus by real faults, and does the dashboard show something?"""

import json
import shutil
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.prometheus import Prometheus, free_port, running_prometheus, shortened
from tests.support.stack import DevStack, running_stack

_DEPLOY: Final = Path(__file__).resolve().parents[2] / "deploy"
#: What has to last for minutes, in seconds; and an outage of a moment, which is all that the stack allows here.
_THRESHOLDS: Final = {
    "max(baton_oldest_unprocessed_seconds) > 600": "max(baton_oldest_unprocessed_seconds) > 5",
    "max by (queue) (baton_unheard_seconds) > 60": "max by (queue) (baton_unheard_seconds) > 5",
    '{outcome=~"away|refused"}[40s])) > 5': '{outcome=~"away|refused"}[40s])) > 0',
    'model_unavailable|model_rate_limited"}[40s])) > 3': 'model_unavailable|model_rate_limited"}[40s])) > 1',
}

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed"),
]


@pytest.fixture(scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[DevStack, Prometheus]]:
    """A stack, and a Prometheus that reads it."""
    ports = {"baton-api": free_port(), "baton-worker": free_port()}
    environment = {
        "BATON_METRICS_PORT": str(ports["baton-api"]),
        "BATON_WORKER_PORT": str(ports["baton-worker"]),
        "BATON_METRICS_INTERVAL_SECONDS": "1",
        "BATON_MODEL_HOSTS": '["127.0.0.1"]',
        "BATON_MODEL_KEYS": '["NO_SUCH_KEY"]',
        "OPENAI_API_KEY": "sk-nobody",
    }
    rules = shortened((_DEPLOY / "prometheus/alerts.yaml").read_text(), _THRESHOLDS)
    directory = tmp_path_factory.mktemp("watched")
    async with (
        running_stack(directory / "stack", environment=environment) as stack,
        running_prometheus(directory / "prometheus", ports, rules) as prometheus,
    ):
        yield stack, prometheus


async def _start(client: httpx.AsyncClient, prompt: str, **body: Any) -> str:
    started = await client.post("/baton/v1/executions", json={"prompt": prompt, **body})
    assert started.status_code == 201, started.text
    return started.json()["id"]


async def _agent(client: httpx.AsyncClient, name: str, **body: Any) -> str:
    made = await client.post("/baton/v1/agents", json={"name": name, **body})
    assert made.status_code == 201, made.text
    return name


async def test_the_dashboard_shows_something_and_nothing_fires_while_all_is_well(
    watched: tuple[DevStack, Prometheus],
) -> None:
    stack, prometheus = watched
    async with stack.client() as client:
        for _ in range(2):  # a rate needs two values
            for prompt in ("!say hello", "!ask who?", "!tool clock {}", "!fail 1 oops\n!say well"):
                execution = await _start(client, prompt)
            tasks = (await client.get(f"/baton/v1/executions/{execution}")).json()["tasks"]
            sent = await client.post(f"/baton/v1/tasks/{tasks[0]['id']}/messages", json={"text": "!say hi"})
            assert sent.is_success
            await prometheus.http.get("/-/ready")
    panels = json.loads((_DEPLOY / "grafana/baton.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(expressions) > 30
    left = [text.replace("$__rate_interval", "30s") for text in expressions]
    for _ in range(60):
        left = [text for text in left if not await prometheus.query(text)]
        if not left:
            break
    assert left == []
    assert await prometheus.firing() == set()


async def test_agents_that_cannot_go_on_are_told_of(watched: tuple[DevStack, Prometheus]) -> None:
    stack, prometheus = watched
    async with stack.client() as client:
        thrifty = await _agent(client, "thrifty", model="scripted", limits={"max_calls": 1}, tools=["clock"])
        local = {"base_url": f"http://127.0.0.1:{free_port()}/v1"}
        away = await _agent(client, "away", model="openai:gpt-4o", model_settings=local)
        keyless = await _agent(client, "keyless", model="openai:gpt-4.1", model_settings={"api_key": "env:NO_SUCH_KEY"})
        await _start(client, "!tool clock {}\n!tool clock {}\n!say done", agent=thrifty)
        await _start(client, "hello", agent=away)
        await _start(client, "hello", agent=keyless)
        await prometheus.until_firing("BatonBudgetReached", "BatonProviderAway", "BatonModelUnusable")


async def test_a_worker_that_stands_still(watched: tuple[DevStack, Prometheus]) -> None:
    stack, prometheus = watched
    async with stack.client() as client:
        waiting = await _start(client, "!ask who?")
        await _until_waiting(client, waiting)
        pid = stack.send_signal("worker", signal.SIGSTOP)
        task = (await client.get(f"/baton/v1/executions/{waiting}")).json()["tasks"][0]["id"]
        assert (await client.post(f"/baton/v1/tasks/{task}/messages", json={"text": "me"})).is_success
        try:
            await prometheus.until_firing("BatonProcessDown", "BatonOldestUnprocessed", "BatonNoWorker")
        finally:
            stack.send_signal("worker", signal.SIGCONT)
    assert pid


async def _until_waiting(client: httpx.AsyncClient, execution: str) -> None:
    while (await client.get(f"/baton/v1/executions/{execution}")).json()["state"] != "waiting":
        pass


async def test_temporal_and_postgresql_that_are_away(watched: tuple[DevStack, Prometheus]) -> None:
    stack, prometheus = watched
    async with stack.client() as client:
        stack.send_signal("temporal", signal.SIGSTOP)
        try:
            await _start(client, "!say hello")
            await prometheus.until_firing("BatonTemporalAway")
        finally:
            stack.send_signal("temporal", signal.SIGCONT)
        old = stack.send_signal("postgres")
        answers = [(await client.get("/baton/v1/tasks")).status_code for _ in range(20)]
        await stack.restarted("postgres", old)
        assert 503 in answers
        await prometheus.until_firing("BatonDatabaseUnavailable", "BatonApiErrors")
