"""What starts something under an Idempotency-Key starts it once, in every dialect; a repeat gets the first response."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from baton.domain.agents import Scope
from baton.service.queues import Queues
from baton.store import starts
from tests.dialects.requests import Json, kubiya_plan, kubiya_task
from tests.support.api import RunningApi


@dataclass(frozen=True)
class Call:
    """A route that starts something: its path, a body, one that differs, and the status of its response."""

    path: str
    body: Json
    other: Json
    status: int
    refusal: tuple[str, ...]  #: where the dialect's 422 says what is wrong


_CHAT = {"message": {"role": "user", "content": "!ask Go?"}}
_MAIA = {"agentConfig": {"name": "data_engineer_agent"}, "message": "!ask Go?"}
CALLS = {
    "baton task": Call(
        "/baton/v1/executions",
        {"prompt": "!ask Go?", "metadata": {"a": 1, "b": 2}},
        {"prompt": "!ask Stop?"},
        201,
        ("code",),
    ),
    "baton plan": Call(
        "/baton/v1/executions",
        {"plan": kubiya_plan(kubiya_task(2, 1), kubiya_task(1))},
        {"plan": kubiya_plan(kubiya_task(1))},
        201,
        ("code",),
    ),
    "kubiya plan": Call(
        "/api/v1/tasks/plan/execute",
        {"plan": kubiya_plan(kubiya_task(1), kubiya_task(2, 1)), "worker_queue_id": "q"},
        {"plan": kubiya_plan(kubiya_task(1), kubiya_task(2, 1)), "worker_queue_id": "another"},
        201,
        ("detail", "0", "type"),
    ),
    "kubiya task": Call(
        "/api/v1/agents/assistant/execute",
        {"prompt": "!ask Go?", "worker_queue_id": "q"},
        {"prompt": "!ask Stop?", "worker_queue_id": "q"},
        200,
        ("detail", "0", "type"),
    ),
    "chat tasks": Call("/v1/chat/tasks", _CHAT, _CHAT | {"metadata": {"a": 1}}, 202, ("error", "message")),
    "maia": Call("/v1/ai/agents/tasks", _MAIA, _MAIA | {"grantedPermissions": [{"toolName": "x"}]}, 201, ("type",)),
    "twill": Call(
        "/api/v1/tasks",
        {"command": "!ask Go?", "agent": "claude-code"},
        {"command": "!ask Go?", "agent": "claude-code", "userIntent": "PLAN"},
        201,
        ("error", "code"),
    ),
    "asteroid": Call(
        "/agents/v2/agents/assistant/execute",
        {"inputs": {"a": "!ask Go?"}},
        {"inputs": {"a": "!say no"}},
        202,
        ("message",),
    ),
}


async def test_who_starts_on_a_queue_without_workers_is_told_in_every_dialect(
    api: RunningApi, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def polled(_: str) -> None:
        return None  # Temporal answers, and has seen no worker

    answer = await api.http.post(call.path, json=call.body)
    assert (answer.status_code, "baton-warning" in answer.headers) == (call.status, False), "it is not known"
    assert "warnings" not in answer.json()
    baton = api.app.state.baton
    monkeypatch.setattr(baton, "queues", Queues(baton.runs))
    monkeypatch.setattr(baton.runs, "last_poll", polled)
    answer = await api.http.post(call.path, json=call.body)
    said = answer.headers["baton-warning"]
    assert said.startswith("no worker asks for work of the task queue '")
    assert answer.json().get("warnings", [said]) == [said]
    assert ("warnings" in answer.json()) == (call.path in _WITH_WARNINGS)


#: Where the response has a field for it.
_WITH_WARNINGS = ("/baton/v1/executions", "/api/v1/tasks/plan/execute", "/v1/ai/agents/tasks")


@pytest.fixture(params=CALLS)
async def call(api: RunningApi, request: pytest.FixtureRequest) -> Call:
    """Each route in turn."""
    known = CALLS[request.param]
    if request.param == "chat tasks":
        agent = {"agent_id": (await api.http.get("/baton/v1/agents")).json()["items"][0]["number"]}
        return replace(known, body=known.body | agent, other=known.other | agent)
    return known


async def count(api: RunningApi) -> int:
    """How many executions the tenant has."""
    async with api.pool.connection() as connection:
        return await connection.fetchval("SELECT count(*) FROM executions WHERE tenant_id = $1", await api.tenant_id())


async def post(http: httpx.AsyncClient, call: Call, key: str | None = "k", body: Any = None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await http.post(call.path, json=body or call.body, headers=headers)


async def test_a_repeat_gets_the_first_response(api: RunningApi, call: Call) -> None:
    http = api.http
    first = await post(http, call)
    assert first.status_code == call.status, first.text
    assert "Idempotent-Replayed" not in first.headers
    execution = first.headers["Baton-Execution-Id"]
    # It goes on meanwhile, as an agent's work and a person's message would have it.
    async with api.pool.connection() as connection:
        await connection.execute(
            "UPDATE tasks SET state = 'succeeded', version = 9, turn = 3, result = 'r', granted_tools = '{late}',"
            " plan_only = NOT plan_only, completed_at = now(), updated_at = clock_timestamp() WHERE execution_id = $1",
            UUID(execution),
        )
        await connection.execute(
            "UPDATE executions SET state = 'succeeded', event_seq = 9 WHERE id = $1", UUID(execution)
        )
    again = await post(http, call, body=dict(reversed(call.body.items())))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    for header in ("Baton-Execution-Id", "Location"):
        assert again.headers.get(header) == first.headers.get(header)
    assert await count(api) == 1


async def test_another_request_under_the_key_is_refused(api: RunningApi, call: Call) -> None:
    http = api.http
    await post(http, call)
    refused = await post(http, call, body=call.other)
    assert refused.status_code == 422
    said: Any = refused.json()
    for step in call.refusal:
        said = said[int(step) if step.isdigit() else step]
    assert "idempotency" in said.lower()
    assert await count(api) == 1
    assert (await post(http, call, "another key", call.other)).status_code == call.status


async def test_without_a_key_each_starts_another(api: RunningApi, call: Call) -> None:
    answers = [await post(api.http, call, None) for _ in range(2)]
    assert len({answer.headers["Baton-Execution-Id"] for answer in answers}) == 2


async def test_64_equal_starts_at_once_make_one(api: RunningApi, call: Call) -> None:
    http = api.http
    answers = await asyncio.gather(*(post(http, call) for _ in range(64)))
    assert {answer.status_code for answer in answers} == {call.status}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert (replayed.count(None), replayed.count("true")) == (1, 63)
    assert await count(api) == 1


async def test_a_key_counts_within_its_tenant(api: RunningApi, call: Call) -> None:
    if "agent_id" in call.body:
        pytest.skip("names an agent of the tenant's")
    answers = [await post(client, call) for client in (api.http, api.client(api.other_key))]
    assert [answer.status_code for answer in answers] == [call.status] * 2
    assert "Idempotent-Replayed" not in answers[1].headers
    other = await api.new_key()
    assert (await post(api.client(other), call)).headers["Idempotent-Replayed"] == "true"


async def test_a_refused_start_does_not_use_up_its_key(api: RunningApi) -> None:
    http, headers = api.http, {"Idempotency-Key": "k"}
    for body in ({"prompt": "!say hi", "agent": "nobody"}, {"prompt": " "}):
        refused = await http.post("/baton/v1/executions", json=body, headers=headers)
        assert refused.status_code in (404, 422)
    assert (await http.post("/baton/v1/executions", json={"prompt": "!say hi"}, headers=headers)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a\ttab"])
async def test_a_bad_key_is_refused(api: RunningApi, call: Call, key: str) -> None:
    assert (await post(api.http, call, key)).status_code in (400, 422)
    assert await count(api) == 0


async def test_a_key_for_one_agent_learns_nothing_of_another_agents_starts(api: RunningApi) -> None:
    made = await api.http.post("/baton/v1/agents", json={"name": "other", "model": "scripted"})
    mine = (await api.http.get("/baton/v1/agents")).json()["items"][0]["number"]
    one = api.client(await api.new_key(agent_number=mine))
    other = api.client(await api.new_key(agent_number=made.json()["number"]))
    call = CALLS["baton task"]
    first = await post(one, call)
    assert first.status_code == 201
    for body in (call.body, call.other):  # neither the first response, nor that there is one
        answer = await post(other, call, "k" if body is call.body else "l", body)
        assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (201, None)
        assert answer.json()["agent"]["name"] == "other"
    assert (await post(one, call)).headers["Idempotent-Replayed"] == "true"
    assert (await post(api.http, call)).headers.get("Idempotent-Replayed") is None


async def test_an_agent_is_created_once(api: RunningApi) -> None:
    http, headers, body = api.http, {"Idempotency-Key": "k"}, {"name": "cook", "model": "scripted", "tools": ["clock"]}
    first = await http.post("/baton/v1/agents", json=body, headers=headers)
    assert first.status_code == 201
    await http.patch("/baton/v1/agents/cook", json={"name": "chef", "instructions": "Cook."})
    again = await http.post("/baton/v1/agents", json=body, headers=headers)
    assert (again.status_code, again.content, again.headers["ETag"]) == (201, first.content, first.headers["ETag"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await http.post("/baton/v1/agents", json=body | {"model": "x"}, headers=headers)).status_code == 422
    answers = await asyncio.gather(
        *(
            http.post(
                "/baton/v1/agents", json=body | {"name": "twin", "is_default": True}, headers={"Idempotency-Key": "t"}
            )
            for _ in range(16)
        )
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}


async def test_a_repeated_key_is_one_key_and_its_secret_is_told_once(api: RunningApi) -> None:
    http, headers = api.http, {"Idempotency-Key": "k"}
    body = {"name": "ci", "scopes": [Scope.READ, Scope.SEND], "expires_in_seconds": 3600}
    first = await http.post("/baton/v1/keys", json=body, headers=headers)
    assert first.status_code == 201
    again = await http.post("/baton/v1/keys", json=body | {"scopes": [Scope.SEND, Scope.READ]}, headers=headers)
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json() | {"key": None}
    assert first.json()["key"] not in again.text
    assert (await http.post("/baton/v1/keys", json=body | {"name": "cd"}, headers=headers)).status_code == 422
    named = [key for key in (await http.get("/baton/v1/keys")).json()["items"] if key["name"] in ("ci", "cd")]
    assert len(named) == 1


async def test_keys_are_forgotten_after_a_day_and_not_before(api: RunningApi) -> None:
    call, http, day = CALLS["baton task"], api.http, 24 * 3600.0
    first = await post(http, call)

    async def age(hours: float) -> None:
        async with api.pool.connection() as connection:
            await connection.execute(
                "UPDATE starts SET created_at = now() - make_interval(secs => $2) WHERE tenant_id = $1",
                await api.tenant_id(),
                hours * 3600,
            )
            while await starts.expire(connection, day, 1):
                pass

    await age(23.9)
    assert (await post(http, call)).content == first.content
    await age(24.1)
    later = await post(http, call)
    assert later.status_code == 201
    assert later.json()["id"] != first.json()["id"]


async def test_what_is_told_of_a_start_is_what_was_stored(api: RunningApi) -> None:
    """The response is made from the request: it must not drift from what a read right after the commit shows."""
    for name in ("baton task", "baton plan"):
        answer = await post(api.http, CALLS[name], name)
        read = await api.http.get(answer.headers["Location"])
        assert read.json() == answer.json()
