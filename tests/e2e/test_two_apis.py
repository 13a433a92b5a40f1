"""Two API processes on one database: do they know what the other has promised?"""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from tests.support.second_api import second_api
from tests.support.stack import DevStack


@pytest.fixture(scope="module")
async def apis(stack: DevStack) -> AsyncGenerator[list[httpx.AsyncClient]]:
    """A client of each."""
    async with second_api(stack) as url, stack.client() as one:
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as other:
            yield [one, other]


async def _waiting_task(client: httpx.AsyncClient) -> str:
    started = await client.post("/baton/v1/executions", json={"prompt": "!ask Go?"})
    assert started.status_code == 201, started.text
    task = started.json()["tasks"][0]["id"]
    await _until(client, task, "waiting")
    return task


async def _until(client: httpx.AsyncClient, task: str, state: str) -> None:
    async with asyncio.timeout(60):
        while (await client.get(f"/baton/v1/tasks/{task}")).json()["state"] != state:
            await asyncio.sleep(0.05)


async def test_64_identical_sends_at_once_are_one_message(apis: list[httpx.AsyncClient]) -> None:
    task = await _waiting_task(apis[0])
    headers = {"Idempotency-Key": "the only one"}
    answers = await asyncio.gather(
        *(
            apis[n % 2].post(f"/baton/v1/tasks/{task}/messages", json={"text": "once"}, headers=headers)
            for n in range(64)
        )
    )
    assert [answer.status_code for answer in answers] == [202] * 64
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert (replayed.count(None), replayed.count("true")) == (1, 63)
    for name in ("Baton-Message-Id", "ETag", "Location"):
        assert len({answer.headers[name] for answer in answers}) == 1
    await _until(apis[1], task, "succeeded")
    items = (await apis[1].get(f"/baton/v1/tasks/{task}/messages")).json()["items"]
    assert [(item["text"], item["state"]) for item in items] == [("once", "processed")]
    assert (await apis[0].get(f"/baton/v1/tasks/{task}")).json()["result"] == "You said: once"


async def test_64_keys_at_once_are_64_messages_in_one_order(apis: list[httpx.AsyncClient]) -> None:
    task = await _waiting_task(apis[0])
    answers = await asyncio.gather(
        *(
            apis[n % 2].post(
                f"/baton/v1/tasks/{task}/messages", json={"text": f"m{n}"}, headers={"Idempotency-Key": f"key {n}"}
            )
            for n in range(64)
        )
    )
    assert sorted(answer.json()["seq"] for answer in answers) == list(range(1, 65))
    await _until(apis[0], task, "succeeded")
    by_seq = {answer.json()["seq"]: f"m{n}" for n, answer in enumerate(answers)}
    items = (await apis[1].get(f"/baton/v1/tasks/{task}/messages", params={"limit": 100})).json()["items"]
    assert [(item["seq"], item["text"]) for item in items] == sorted(by_seq.items())


async def test_another_message_under_a_key_that_the_other_process_has_seen(apis: list[httpx.AsyncClient]) -> None:
    task = await _waiting_task(apis[0])
    path, headers = f"/baton/v1/tasks/{task}/messages", {"Idempotency-Key": "k"}
    first = await apis[0].post(path, json={"text": "this"}, headers=headers)
    second = await apis[1].post(path, json={"text": "that"}, headers=headers)
    again = await apis[1].post(path, json={"text": "this"}, headers=headers)
    assert (first.status_code, second.status_code, again.status_code) == (202, 422, 202)
    assert second.json()["code"] == "idempotency_key_reused"
    assert again.content == first.content


async def test_64_identical_starts_at_once_are_one_execution(apis: list[httpx.AsyncClient]) -> None:
    body, headers = {"prompt": "!say once", "title": "the only start"}, {"Idempotency-Key": "start"}
    answers = await asyncio.gather(
        *(apis[n % 2].post("/baton/v1/executions", json=body, headers=headers) for n in range(64))
    )
    assert [answer.status_code for answer in answers] == [201] * 64
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert (replayed.count(None), replayed.count("true")) == (1, 63)
    await _until(apis[1], answers[0].json()["tasks"][0]["id"], "succeeded")
    later = await apis[1].post("/baton/v1/executions", json=body, headers=headers)
    assert later.content == answers[0].content, "as it was when it was started"
    items = (await apis[0].get("/baton/v1/executions", params={"limit": 200})).json()["items"]
    assert [item["title"] for item in items].count("the only start") == 1
