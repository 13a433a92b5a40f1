"""Agents as data: are they made, read and changed as their page says, and used so?"""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from baton.client.schemas.agents import Agents, WholeAgent
from baton.domain.agents import Scope
from tests.dialects.requests import start_task
from tests.support.api import RunningApi

V1 = "/baton/v1/agents"
WHOLE = {
    "name": "planner",
    "model": "scripted",
    "instructions": "Be brief.",
    "tools": ["clock", "write_note"],
    "policies": {"write_note": "ask", "*": "deny"},
    "limits": {"max_turns": 20, "max_tokens": 10_000, "max_usd": 1.5, "max_seconds": 3600},
    "model_settings": {"temperature": 0.2, "effort": "low", "stop": ["END"], "extra_body": {"top_k": 5}},
    "fallbacks": [{"model": "anthropic:claude-haiku-4-5", "model_settings": {"max_tokens": 500}}],
    "mode": "interrupt",
}


async def made(api: RunningApi, **body: Any) -> dict[str, Any]:
    """An agent that was made."""
    answer = await api.http.post(V1, json={"name": f"a-{uuid4()}", "model": "scripted"} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """A problem."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return answer.json()


async def test_an_agent_is_made_read_and_changed(api: RunningApi) -> None:
    answer = await api.http.post(V1, json=WHOLE)
    agent = answer.json()
    assert answer.status_code == 201
    assert "'clock', 'write_note'" in agent.pop("warnings")[0]  # no worker is here that could have them
    assert (answer.headers["location"], answer.headers["etag"]) == (f"{V1}/{agent['id']}", '"1"')
    WholeAgent.model_validate(agent)
    assert {name: agent[name] for name in WHOLE} == WHOLE
    assert (agent["version"], agent["is_default"]) == (1, False)
    for name in (agent["id"], agent["number"], agent["name"]):
        read = await api.http.get(f"{V1}/{name}")
        assert (read.json(), read.headers["etag"]) == (agent, '"1"')

    changed = await api.http.patch(f"{V1}/{agent['number']}", json={"model": "openai:gpt-5", "policies": {}})
    now = changed.json()
    assert "'openai:gpt-5'" in now.pop("warnings")[0]
    assert changed.headers["etag"] == '"2"'
    assert now == agent | {"model": "openai:gpt-5", "policies": {}, "version": 2, "updated_at": now["updated_at"]}
    again = await api.http.patch(f"{V1}/{agent['id']}", json={"model": "openai:gpt-5"})
    assert {name: value for name, value in again.json().items() if name != "warnings"} == now  # nothing has changed


async def test_its_version_guards_a_change(api: RunningApi) -> None:
    agent = await made(api)
    path = f"{V1}/{agent['id']}"
    answers = await asyncio.gather(
        *(api.http.patch(path, json={"instructions": str(n)}, headers={"If-Match": '"1"'}) for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    late = next(answer for answer in answers if answer.status_code == 412)
    refused(late, 412, "outdated")
    assert late.headers["etag"] == '"2"'


async def test_agents_are_listed_in_pages(api: RunningApi) -> None:
    names = ["assistant", *[(await made(api))["name"] for _ in range(4)]]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.http.get(V1, params={"limit": "2"} | cursor)).json()
        Agents.model_validate(page)
        assert len(page["items"]) <= 2
        seen += [agent["name"] for agent in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == names
    refused(await api.http.get(V1, params={"cursor": "x"}), 422, "invalid_input")


async def test_a_name_is_one_agents(api: RunningApi) -> None:
    one, two = await made(api), await made(api)
    refused(await api.http.post(V1, json={"name": one["name"], "model": "scripted"}), 409, "conflict")
    refused(await api.http.patch(f"{V1}/{two['id']}", json={"name": one["name"]}), 409, "conflict")
    theirs = await api.client(api.other_key).post(V1, json={"name": one["name"], "model": "scripted"})
    assert theirs.status_code == 201


async def test_one_is_the_default(api: RunningApi) -> None:
    first = (await api.http.get(f"{V1}/assistant")).json()
    answer = await api.http.patch(f"{V1}/{first['id']}", json={"is_default": False})
    refused(answer, 422, "invalid_input")
    agents = [await made(api, is_default=n == 0) for n in range(4)]
    assert (await start_task(api.http))["agent"]["name"] == agents[0]["name"]
    moved = await asyncio.gather(
        *(api.http.patch(f"{V1}/{agent['id']}", json={"is_default": True}) for agent in agents),
        *(api.http.post(V1, json={"name": f"d{n}", "model": "scripted", "is_default": True}) for n in range(4)),
    )
    assert {answer.status_code for answer in moved} == {200, 201}
    listed = (await api.http.get(V1)).json()["items"]
    assert sum(agent["is_default"] for agent in listed) == 1


async def test_its_mode_is_what_a_send_goes_by(api: RunningApi) -> None:
    agent = await made(api, mode="reject")
    task = (await start_task(api.http, agent=agent["number"]))["tasks"][0]["id"]
    refused(await api.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "x"}), 409, "task_busy")
    assert (await api.http.patch(f"{V1}/{agent['id']}", json={"mode": "queue"})).status_code == 200
    assert (await api.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "x"})).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        {"name": " "},
        {"name": "x" * 256},
        {"name": "a\u0000"},
        {"name": 5},
        {"model": ""},
        {"model": "huggingface:https://llm.example.com/v1"},
        {"instructions": "a\u0000"},
        {"tools": ["clock", "clock"]},
        {"tools": [""]},
        {"tools": "clock"},
        {"tools": [f"t{n}" for n in range(101)]},
        {"policies": {"clock": "perhaps"}},
        {"policies": []},
        {"limits": {"max_turns": 0}},
        {"limits": {"max_turns": 1.5}},
        {"limits": {"max_turns": True}},
        {"limits": {"max_usd": "1"}},
        {"limits": {"turns": 1}},
        {"model_settings": {"temprature": 0.2}},
        {"model_settings": {"seed": "5"}},
        {"model_settings": {"api_key": "sk-0123456789"}},
        {"model_settings": {"api_key": "env:OPENAI_API_KEY"}},
        {"model_settings": {"base_url": "http://localhost:11434/v1"}},
        {"model_settings": {"stop": ["a\u0000"]}},
        {"fallbacks": ["scripted"]},
        {"fallbacks": [{"model": ""}]},
        {"fallbacks": [{"model": "huggingface:https://llm.example.com/v1"}]},
        {"fallbacks": [{"model": "scripted"}] * 9},
        {"fallbacks": [{"model": "scripted", "model_settings": {"temprature": 1}}]},
        {"fallbacks": [{"model": "scripted", "model_settings": {"base_url": "http://localhost/"}}]},
        {"mode": "sometimes"},
        {"is_default": "yes"},
        {"color": "red"},
    ],
)
async def test_what_makes_no_sense_is_refused(api: RunningApi, body: dict[str, Any]) -> None:
    agent = await made(api)
    refused(await api.http.patch(f"{V1}/{agent['id']}", json=body), 422, "invalid_input")
    refused(await api.http.post(V1, json={"name": "n", "model": "scripted"} | body), 422, "invalid_input")
    assert (await api.http.get(f"{V1}/{agent['id']}")).json() == agent
    refused(await api.http.get(f"{V1}/n"), 404, "agent_not_found")


@pytest.mark.parametrize(
    "name", ["7d3e7c1e-6f6b-4a52-9d0c-2f6a54b6e0a1", "nobody", "0", "9" * 30, "-1", "%00", "%ED%A0%80"]
)
async def test_what_is_not_there(api: RunningApi, name: str) -> None:
    refused(await api.http.get(f"{V1}/{name}"), 404, "agent_not_found")
    refused(await api.http.patch(f"{V1}/{name}", json={"model": "x"}), 404, "agent_not_found")


async def test_who_may(api: RunningApi) -> None:
    mine, other = await made(api), await made(api)
    reader = api.client(await api.new_key(Scope.READ))
    assert (await reader.get(f"{V1}/{mine['id']}")).status_code == 200
    refused(await reader.patch(f"{V1}/{mine['id']}", json={"mode": "reject"}), 403, "forbidden")
    writer = api.client(await api.new_key(Scope.AGENTS))
    assert (await writer.patch(f"{V1}/{mine['id']}", json={"mode": "reject"})).status_code == 200
    refused(await writer.get(V1), 403, "forbidden")
    stranger = api.client(api.other_key)
    for name in (mine["id"], mine["number"], mine["name"]):
        refused(await stranger.get(f"{V1}/{name}"), 404, "agent_not_found")
        refused(await stranger.patch(f"{V1}/{name}", json={"mode": "queue"}), 404, "agent_not_found")
    bound = api.client(await api.new_key(agent_number=mine["number"]))
    assert [agent["id"] for agent in (await bound.get(V1)).json()["items"]] == [mine["id"]]
    assert (await bound.patch(f"{V1}/{mine['id']}", json={"mode": "queue"})).status_code == 200
    refused(await bound.patch(f"{V1}/{mine['id']}", json={"is_default": True}), 403, "forbidden")
    refused(await bound.get(f"{V1}/{other['id']}"), 404, "agent_not_found")
    refused(await bound.patch(f"{V1}/{other['id']}", json={"mode": "queue"}), 404, "agent_not_found")
    refused(await bound.post(V1, json={"name": "n", "model": "scripted"}), 403, "forbidden")
