"""Do metrics say what the API did, to those who may know, and to nobody else?"""

import asyncio
from collections.abc import AsyncGenerator, Callable

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.dialects.conftest import QUICK
from tests.dialects.requests import start_task, task_ids
from tests.support.api import RunningApi, running_api

_WORDS = "what a user wrote"


@pytest.fixture(scope="module")
async def measured(shared_database_url: str) -> AsyncGenerator[RunningApi]:
    """An API that shows metrics."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
        async with running_api(
            shared_database_url, **QUICK, metrics_port=0, requests_per_minute=3, metrics_interval_seconds=0.2
        ) as running:
            yield running


class Metrics:
    """The page as Prometheus reads it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        return sum(
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def _url(api: RunningApi) -> str:
    assert api.app.metrics_address is not None
    host, port = api.app.metrics_address
    return f"http://{host}:{port}/metrics"


async def _read(api: RunningApi) -> Metrics:
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(_url(api))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return Metrics(response.text)


async def _until(api: RunningApi, fits: Callable[[Metrics], bool]) -> Metrics:
    async with asyncio.timeout(20):
        while not fits(metrics := await _read(api)):
            await asyncio.sleep(0.1)
    return metrics


async def _start(api: RunningApi) -> str:
    started = await start_task(api.http, _WORDS)
    return (await task_ids(api.http, started["id"]))[1]


async def test_requests_and_accepted_messages_are_measured_by_dialect(measured: RunningApi) -> None:
    task = await _start(measured)
    before = await _read(measured)
    to = f"/baton/v1/tasks/{task}/messages"
    sent = [await measured.http.post(to, json={"text": _WORDS}) for _ in range(3)]
    (code,) = {str(answer.status_code) for answer in sent}
    assert code.startswith("2"), sent[0].text
    missing = await measured.http.get("/api/v1/tasks/plan/00000000-0000-4000-8000-000000000000")
    assert missing.status_code == 404
    wanted = before.value("baton_accept_seconds_count", dialect="baton") + 3
    after = await _until(measured, lambda m: m.value("baton_accept_seconds_count", dialect="baton") >= wanted)
    assert (
        after.value("baton_http_request_seconds_count", dialect="baton", code=code)
        >= before.value("baton_http_request_seconds_count", dialect="baton", code=code) + 3
    )
    assert after.value("baton_http_request_seconds_count", dialect="kubiya", code="404") >= 1


async def test_what_waits_is_counted_now_and_then(measured: RunningApi) -> None:
    task = await _start(measured)
    await measured.ask(task, _WORDS)
    metrics = await _until(measured, lambda m: m.value("baton_tasks_waiting", older_than="0") >= 1)
    assert metrics.value("baton_backlog_timestamp_seconds") > 1e9


async def test_rate_limits_are_counted(measured: RunningApi) -> None:
    key = await measured.new_key(per_minute=1)
    before = await _read(measured)
    async with measured.client(key) as client:
        answers = [(await client.get("/baton/v1/tasks")).status_code for _ in range(3)]
    assert answers == [200, 429, 429]
    wanted = before.value("baton_rate_limited_total", what="requests") + 2
    await _until(measured, lambda m: m.value("baton_rate_limited_total", what="requests") == wanted)


async def test_rings_that_temporal_did_not_take_are_counted(measured: RunningApi) -> None:
    await _start(measured)
    metrics = await _until(measured, lambda m: m.value("baton_doorbell_seconds_count", outcome="away") >= 1)
    assert metrics.value("baton_pool_connections_max") == measured.settings.pool_max_size


async def test_nobody_reads_them_on_the_apis_own_port(measured: RunningApi) -> None:
    assert (await measured.client(None).get("/metrics")).status_code == 404
    assert (await measured.http.get("/metrics")).status_code == 404


async def test_an_api_without_a_port_for_them_has_none(api: RunningApi) -> None:
    assert api.app.metrics_address is None


async def test_they_name_no_tenant_and_repeat_no_words(measured: RunningApi) -> None:
    mine = await measured.for_new_tenants()
    task = await _start(mine)
    await mine.ask(task, _WORDS)
    await mine.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": _WORDS})
    metrics = await _until(measured, lambda m: m.value("baton_accept_seconds_count") >= 1)
    tenant_id = str(await mine.tenant_id())
    assert all(secret not in metrics.text for secret in (_WORDS, mine.tenant, tenant_id, task, mine.key))
    await mine.close_clients()


async def test_asking_often_costs_one_page_a_second(measured: RunningApi) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        pages = await asyncio.gather(*(client.get(_url(measured)) for _ in range(50)))
    seen = {page.text for page in pages if page.status_code == 200}
    assert 1 <= len(seen) <= 5, "the pages of one second are the same"
