"""Are names that no worker has refused wherever they may be written, and marked while no worker has been seen?"""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.dialects.maia.shapes import CreateTaskResponse
from baton.domain.catalog import Catalog
from baton.store import catalogs
from tests.dialects.commands import commands
from tests.dialects.requests import start_task
from tests.support.api import RunningApi

AGENTS = "/baton/v1/agents"
SHOP = Catalog(
    {"refund": True, "clock": False, "write_note": True, "read_notes": False}, {"openai": ("gpt-5",), "azure": ()}
)


async def publish(api: RunningApi, catalog: Catalog = SHOP) -> None:
    """Say what a worker has, as a worker would."""
    async with api.pool.connection() as connection:
        await catalogs.publish(connection, catalog, ["a-queue"])


@pytest.fixture
async def shop(lone_api: RunningApi) -> RunningApi:
    """An API whose workers have the tool `refund`."""
    await publish(lone_api)
    return lone_api


async def create(api: RunningApi, **body: Any) -> httpx.Response:
    return await api.http.post(AGENTS, json={"name": f"a-{uuid4()}", "model": "scripted"} | body)


def refused(answer: httpx.Response) -> list[tuple[list[str | int], str]]:
    """What a 422 of Baton's own API says is wrong."""
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), answer.text
    problems = answer.json()["problems"]
    assert {one["kind"] for one in problems} == {"unknown_name"}
    return [(one["where"], one["message"]) for one in problems]


async def test_a_policy_that_names_no_tool_is_refused_and_a_pattern_holds(shop: RunningApi) -> None:
    told = refused(await create(shop, tools=["refund"], policies={"refnd": "ask"}))
    assert told == [(["body", "policies", "refnd"], "no worker has a tool 'refnd'; did you mean 'refund'?")]
    told = refused(await create(shop, tools=["refund"], policies={"Refund": "deny"}))
    assert told == [(["body", "policies", "Refund"], "no worker has a tool 'Refund'; did you mean 'refund'?")]
    taken = await create(shop, tools=["refund"], policies={"ref*": "deny"})
    assert (taken.status_code, taken.json()["policies"]) == (201, {"ref*": "deny"})
    assert "warnings" not in taken.json()
    told = refused(await create(shop, tools=["refund"], policies={"drop*": "deny"}))
    assert told == [(["body", "policies", "drop*"], "no worker has a tool that matches the pattern 'drop*'")]


async def test_all_wrong_names_of_an_agent_are_told_at_once(shop: RunningApi) -> None:
    answer = await create(
        shop,
        model="opnai:gpt-5",
        fallbacks=[{"model": "scripted"}, {"model": "gpt-5"}],
        tools=["clock", "refnd"],
        policies={"Refund": "deny", "*": "ask"},
    )
    assert [where for where, _ in refused(answer)] == [
        ["body", "model"],
        ["body", "fallbacks", 1, "model"],
        ["body", "tools", 1],
        ["body", "policies", "Refund"],
    ]
    assert [agent["name"] for agent in (await shop.http.get(AGENTS)).json()["items"]] == ["assistant"]


async def test_a_change_is_judged_by_what_it_writes(shop: RunningApi) -> None:
    agent = (await create(shop, tools=["refund"], policies={"refund": "ask"}, model="openai:gpt-5")).json()
    path = f"{AGENTS}/{agent['id']}"
    for body in ({"policies": {"refnd": "ask"}}, {"tools": ["refnd"]}, {"model": "gpt-5"}):
        refused(await shop.http.patch(path, json=body))
    assert (await shop.http.get(path)).json() == agent

    await publish_only(shop, Catalog({"clock": False}, {"azure": ()}))
    assert (await shop.http.patch(path, json={"instructions": "Be brief."})).status_code == 200
    again = await shop.http.patch(path, json={"tools": ["refund"]})  # nothing changes: nothing is refused
    assert (again.status_code, again.json()["version"]) == (200, 2)
    assert again.json()["warnings"] == ["no worker has a tool 'refund': there are ask_user, clock"]
    refused(await shop.http.patch(path, json={"tools": ["refund", "clock"]}))


async def test_a_repeated_start_is_answered_as_the_first_was(shop: RunningApi) -> None:
    body = {"name": "once", "model": "scripted", "tools": ["refund"]}
    first = await shop.http.post(AGENTS, json=body, headers={"Idempotency-Key": "k"})
    await publish_only(shop, Catalog({"clock": False}, {}))
    again = await shop.http.post(AGENTS, json=body, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json()["id"] == first.json()["id"]


async def test_what_no_list_has_is_marked(shop: RunningApi) -> None:
    answer = await create(shop, model="openai:gtp-5")
    assert answer.json()["warnings"] == [
        "the workers' lists of models do not include 'openai:gtp-5'; did you mean 'openai:gpt-5'?"
    ]
    assert "warnings" not in (await create(shop, model="azure:ours")).json()


async def test_a_fallback_is_judged_as_the_model_is(shop: RunningApi) -> None:
    answer = await create(shop, fallbacks=[{"model": "azure:ours"}, {"model": "opnai:gpt-5"}])
    assert [where for where, _ in refused(answer)] == [["body", "fallbacks", 1, "model"]]


async def test_the_model_for_summaries_is_judged_as_the_model_is(shop: RunningApi) -> None:
    where = ["body", "model_settings", "summary_model"]
    told = refused(await create(shop, model="openai:gpt-5", model_settings={"summary_model": "opnai:gpt-5"}))
    assert [place for place, _ in told] == [where]
    taken = await create(shop, model="openai:gpt-5", model_settings={"summary_model": "openai:gpt-6-nano"})
    assert taken.json()["warnings"] == ["the workers' lists of models do not include 'openai:gpt-6-nano'"]
    path = f"{AGENTS}/{taken.json()['id']}"
    refused(await shop.http.patch(path, json={"model_settings": {"summary_model": "opnai:gpt-5"}}))
    assert (await create(shop, model_settings={"summary_model": "openai:gpt-5"})).status_code == 201


async def test_before_a_worker_was_seen_names_are_taken_and_marked(lone_api: RunningApi) -> None:
    answer = await create(lone_api, tools=["refund"], policies={"refnd": "ask", "*": "deny"}, model="opnai:x")
    assert answer.status_code == 201
    (warning,) = answer.json()["warnings"]
    assert warning.startswith("no worker has said yet which tools and models it has")
    assert warning.endswith("'opnai:x', 'refund', 'refnd'")
    assert "warnings" not in (await lone_api.http.get(f"{AGENTS}/{answer.json()['id']}")).json()
    assert "warnings" not in (await create(lone_api, tools=["ask_user"], policies={"*": "deny"})).json()


async def test_a_list_that_nobody_renews_ages_out(shop: RunningApi) -> None:
    refused(await create(shop, tools=["repay"]))
    await publish(shop, Catalog({"repay": True}, {}))
    assert (await create(shop, tools=["repay", "refund"])).status_code == 201  # of both, while workers are replaced
    await age(shop, "tools ? 'refund'")
    refused(await create(shop, tools=["refund"]))
    await publish(shop, Catalog({"repay": True}, {}))
    async with shop.pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM catalogs") == 1
    await age(shop, "true")
    assert (await create(shop, tools=["refund"])).json()["warnings"]


async def test_the_command_line_says_in_which_line(shop: RunningApi, tmp_path: Path) -> None:
    baton, file = commands(shop, tmp_path), tmp_path / "clerk.yaml"
    file.write_text("name: clerk\nmodel: openai:gtp-5\ntools: [refund]\npolicies:\n  '*': allow\n  refnd: ask\n")
    ran = await baton("agents", "create", "-f", str(file))
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == f"baton: {file}, line 6: no worker has a tool 'refnd'; did you mean 'refund'?\n"
    ran = await baton("agents", "create", "-f", str(file), "--policy", "refund=ask")
    assert (ran.code, ran.err) == (
        0,
        "baton: warning: the workers' lists of models do not include 'openai:gtp-5'; did you mean 'openai:gpt-5'?\n",
    )
    assert "warnings" not in ran.out


async def publish_only(api: RunningApi, catalog: Catalog) -> None:
    """Replace all workers by others."""
    await age(api, "true")
    await publish(api, catalog)


async def age(api: RunningApi, which: str) -> None:
    """Have those lists be old that `which` is true of."""
    async with api.pool.connection() as connection:
        await connection.execute(
            f"UPDATE catalogs SET renewed_at = renewed_at - make_interval(secs => $1) WHERE {which}",
            catalogs.KEPT_SECONDS + 1,
        )


async def task_of(api: RunningApi) -> str:
    """A new task's id."""
    return (await start_task(api.http))["tasks"][0]["id"]


GRANTED = {
    "a start": ("/baton/v1/executions", {"prompt": "!say hi"}, "granted_tools"),
    "a plan": (
        "/baton/v1/executions",
        {"plan": {"title": "p", "tasks": [{"id": 1, "title": "t", "description": "d"}]}},
        "granted_tools",
    ),
    "a message": ("/baton/v1/tasks/{task}/messages", {"text": "go on"}, "grants"),
}
MAIA = "/v1/ai/agents/tasks"


@pytest.mark.parametrize("name", GRANTED)
async def test_a_grant_of_a_tool_that_no_worker_has_is_refused(shop: RunningApi, name: str) -> None:
    path, body, field = GRANTED[name]
    path = path.format(task=await task_of(shop))
    told = refused(await shop.http.post(path, json=body | {field: ["refund", "refnd"]}))
    assert told == [(["body", field], "no worker has a tool 'refnd'; did you mean 'refund'?")]
    key = {"Idempotency-Key": "k"}
    first = await shop.http.post(path, json=body | {field: ["refund"]}, headers=key)
    assert first.is_success
    assert "warnings" not in first.json()
    await publish_only(shop, Catalog({"clock": False}, {}))
    again = await shop.http.post(path, json=body | {field: ["refund"]}, headers=key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (first.status_code, "true")
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize("name", GRANTED)
async def test_before_a_worker_was_seen_a_grant_is_marked(lone_api: RunningApi, name: str) -> None:
    path, body, field = GRANTED[name]
    answer = await lone_api.http.post(path.format(task=await task_of(lone_api)), json=body | {field: ["refnd"]})
    assert answer.is_success
    assert answer.json()["warnings"][0].endswith("these names were not checked: 'refnd'")


async def test_maia_is_told_in_its_own_words(shop: RunningApi) -> None:
    body = {"agentConfig": {"name": "data_engineer_agent"}, "message": "!say hi"}
    permitted = {"grantedPermissions": [{"toolName": "refund"}, {"toolName": "refnd"}]}
    task = await task_of(shop)
    for path, said in ((MAIA, body), (f"{MAIA}/{task}/messages", {"message": "go on"})):
        answer = await shop.http.post(path, json=said | permitted)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        assert answer.json()["violations"] == [
            "grantedPermissions: no worker has a tool 'refnd'; did you mean 'refund'?"
        ]
    await age(shop, "true")
    created = await shop.http.post(MAIA, json=body | permitted)
    CreateTaskResponse.model_validate(created.json())
    sent = await shop.http.post(f"{MAIA}/{task}/messages", json={"message": "go on"} | permitted)
    assert (created.status_code, sent.status_code) == (201, 202)
    for answer in (created, sent):
        assert answer.json()["warnings"][0].endswith("these names were not checked: 'refund', 'refnd'")
