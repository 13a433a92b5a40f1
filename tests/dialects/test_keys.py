"""`/baton/v1/keys`: made, shown once, listed, revoked."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from baton.client.schemas.keys import Keys, NewKeyOut
from baton.domain.agents import Scope
from tests.dialects.commands import Command
from tests.dialects.conftest import QUICK
from tests.dialects.requests import start_task
from tests.dialects.test_agents import made, refused
from tests.support.api import RunningApi, running_api

V1 = "/baton/v1/keys"
CHEAP = "/baton/v1/executions?limit=1"


async def key(api: RunningApi, **body: Any) -> dict[str, Any]:
    """A key that was made."""
    answer = await api.http.post(V1, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    NewKeyOut.model_validate(answer.json())
    return answer.json()


async def test_a_key_is_made_used_listed_and_revoked(api: RunningApi) -> None:
    new = await key(api, name="ci", scopes=["tasks:read"], per_minute=7, expires_in_seconds=3600)
    text = new.pop("key")
    client = api.client(text)
    answer = await client.get(CHEAP)
    assert (answer.status_code, answer.headers["ratelimit-policy"]) == (200, '"requests";q=7;w=60')
    refused(await client.post("/baton/v1/executions", json={"prompt": "x"}), 403, "forbidden")
    assert (new["name"], new["scopes"], new["agent_id"], new["revoked_at"]) == ("ci", ["tasks:read"], None, None)
    assert datetime.fromisoformat(new["expires_at"]) > datetime.now(UTC)

    read = await api.http.get(f"{V1}/{new['id']}")
    assert {**read.json(), "last_used_at": None} == new
    listed = await api.http.get(V1)
    Keys.model_validate(listed.json())
    assert new["id"] in [one["id"] for one in listed.json()["items"]]
    assert text not in read.text + listed.text

    revoked = await api.http.delete(f"{V1}/{new['id']}")
    assert revoked.json()["revoked_at"] is not None
    assert (await client.get(CHEAP)).status_code == 401  # at once, where it was revoked
    assert (await api.http.delete(f"{V1}/{new['id']}")).json()["revoked_at"] == revoked.json()["revoked_at"]


@pytest.mark.parametrize("name", ["temporal", " Temporal ", "DEADLINE", "key:1", "Jwt:x"])
async def test_no_key_passes_for_somebody_else(api: RunningApi, name: str) -> None:
    refused(await api.http.post(V1, json={"name": name}), 422, "invalid_input")


async def test_what_a_key_may_do_if_nothing_is_said(api: RunningApi) -> None:
    new = await key(api)
    assert (new["scopes"], new["per_minute"], new["expires_at"]) == (
        ["tasks:read", "tasks:send", "tasks:write"],
        None,
        None,
    )


async def test_keys_are_listed_in_pages(api: RunningApi) -> None:
    names = [f"k{n}" for n in range(5)]
    for name in names:
        await key(api, name=name)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.http.get(V1, params={"limit": "2"} | cursor)).json()
        seen += [one["name"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ["", *names]


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "admin"},
        {"per_minute": -1},
        {"per_minute": 1.5},
        {"per_minute": 2**40},
        {"expires_in_seconds": 0},
        {"expires_in_seconds": 2**62},
        {"name": "a\u0000"},
        {"name": "x" * 256},
        {"agent": True},
        {"key": "mine"},
    ],
)
async def test_what_makes_no_sense_is_refused(api: RunningApi, body: dict[str, Any]) -> None:
    refused(await api.http.post(V1, json=body), 422, "invalid_input")
    assert len((await api.http.get(V1)).json()["items"]) == 1


async def test_an_unknown_scope_is_told_what_may_have_been_meant(api: RunningApi, baton: Command) -> None:
    told = "there is no scope 'task:read': did you mean 'tasks:read'?"
    problem = refused(await api.http.post(V1, json={"scopes": ["admin", "task:read"]}), 422, "invalid_input")
    ((where, message),) = [(one["where"], one["message"]) for one in problem["problems"]]
    assert (where, message.removeprefix("Value error, ")) == (["body", "scopes", 1], told)
    ran = await baton("keys", "create", "--tenant", api.tenant, "--scopes", "admin,task:read")
    assert (ran.code, ran.out) == (2, "")
    assert told in " ".join(ran.err.replace("│", " ").split())


async def test_only_who_may_do_everything_may(api: RunningApi) -> None:
    (own,) = (await api.http.get(V1)).json()["items"]
    every = api.client(await api.new_key(*(scope for scope in Scope if scope is not Scope.ADMIN)))
    for method, path in (("GET", V1), ("POST", V1), ("GET", f"{V1}/{own['id']}"), ("DELETE", f"{V1}/{own['id']}")):
        refused(await every.request(method, path, json={} if method == "POST" else None), 403, "forbidden")
    stranger = api.client(api.other_key)
    for method in ("GET", "DELETE"):
        for name in (own["id"], str(uuid4()), "x", "%00"):
            refused(await stranger.request(method, f"{V1}/{name}"), 404, "not_found")
    refused(await stranger.post(V1, json={"agent": (await made(api))["id"]}), 404, "agent_not_found")
    assert (await api.http.get(CHEAP)).status_code == 200


async def test_a_key_for_one_agent_makes_and_sees_keys_for_that_one(api: RunningApi) -> None:
    mine, other = await made(api), await made(api)
    admin = api.client((await key(api, agent=mine["name"], scopes=["admin"]))["key"])
    answer = await admin.post(V1, json={})
    assert (answer.json()["agent_id"], answer.json()["agent_number"]) == (mine["id"], mine["number"])
    refused(await admin.post(V1, json={"agent": other["number"]}), 404, "agent_not_found")
    assert {one["agent_id"] for one in (await admin.get(V1)).json()["items"]} == {mine["id"]}
    for unseen in (await key(api), await key(api, agent=other["id"])):
        refused(await admin.get(f"{V1}/{unseen['id']}"), 404, "not_found")
        refused(await admin.delete(f"{V1}/{unseen['id']}"), 404, "not_found")
        assert (await api.client(unseen["key"]).get(CHEAP)).status_code == 200


async def test_a_key_for_one_agent_sees_nothing_of_the_others(api: RunningApi) -> None:
    mine = await made(api)
    bound = api.client((await key(api, agent=mine["id"]))["key"])
    theirs, own = await start_task(api.http), await start_task(bound)
    assert own["agent"]["id"] == mine["id"]
    task = theirs["tasks"][0]
    await api.ask(task["id"], "Which?")
    sent = (await api.http.post(f"/baton/v1/tasks/{task['id']}/messages", json={"text": "x"})).json()
    await api.ask(task["id"], "And?", "q2")
    async with api.pool.connection() as connection:
        await connection.execute(
            "UPDATE messages SET state = 'dead', ended_at = now() WHERE tenant_id = $1", await api.tenant_id()
        )
    for path in (
        f"/baton/v1/executions/{theirs['id']}",
        f"/baton/v1/executions/{theirs['id']}/events",
        f"/baton/v1/tasks/{task['id']}",
        f"/baton/v1/tasks/{task['id']}/events",
        f"/baton/v1/tasks/{task['id']}/messages",
        f"/baton/v1/tasks/{task['id']}/explain",
        f"/baton/v1/messages/{sent['id']}",
        f"/api/v1/executions/{theirs['id']}",
        f"/api/v1/executions/{theirs['id']}/stream",
        f"/v1/chat/tasks/{task['number']}",
        f"/v1/chat/tasks/{task['number']}/steps",
    ):
        async with api.http.stream("GET", path) as seen:
            assert seen.status_code == 200, path
        assert (await bound.get(path)).status_code == 404, path
    for path in (
        "/baton/v1/executions",
        "/baton/v1/tasks",
        "/baton/v1/tasks?state=waiting",
        "/baton/v1/messages?state=dead",
        "/api/v1/executions",
        f"/baton/v1/tasks?execution={theirs['id']}",
    ):
        listed = await bound.get(path)
        assert listed.status_code == 200
        assert theirs["id"] not in listed.text
        assert theirs["id"] in (await api.http.get(path)).text
        assert (own["id"] in listed.text) == ("state" not in path and "execution=" not in path)


async def test_revoking_is_heard_of_in_every_process(database_url: str) -> None:
    settings = QUICK | {"principal_cache_seconds": 1.0}
    async with running_api(database_url, **settings) as one, running_api(database_url, **settings) as two:
        new = await key(one)
        clients = [one.client(new["key"]), two.client(new["key"])]
        for client in clients:
            assert (await client.get(CHEAP)).status_code == 200
        await one.http.delete(f"{V1}/{new['id']}")
        assert (await clients[0].get(CHEAP)).status_code == 401
        async with asyncio.timeout(10):
            while (await clients[1].get(CHEAP)).status_code != 401:
                await asyncio.sleep(0.02)
