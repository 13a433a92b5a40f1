"""What holds of every request, whatever its dialect: its head, its method, its path."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute

from api.dialects import all_dialects
from tests.dialects.requests import reply, start_plan, start_task
from tests.dialects.spoken import SPOKEN
from tests.hostile.shapes import is_in_shape
from tests.support.api import RunningApi


async def start(api: RunningApi, name: str) -> tuple[str, dict[str, Any], int]:
    """A path and a body that start something, with the status that says so."""
    agent = (await api.http.get("/baton/v1/agents")).json()["items"][0]
    start = SPOKEN[name].start
    body = dict(start.body) | ({"agent_id": agent["number"]} if "agent_id" in start.body else {})
    return start.path.format(agent=agent["id"]), body, start.status


async def raw(
    api: RunningApi, method: str, path: str, headers: list[tuple[str, str]], body: Any = None
) -> httpx.Response:
    """Ask with exactly these headers, credentials beside them."""
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as client:
        return await client.request(method, path, headers=headers, json=body)


@pytest.mark.parametrize("header", ["Idempotency-Key", "Baton-Mode", "Content-Type", "Authorization"])
@pytest.mark.parametrize("name", SPOKEN)
async def test_two_values_of_a_single_header_are_refused_and_nothing_is_stored(
    api: RunningApi, name: str, header: str
) -> None:
    path, body, status = await start(api, name)
    values = {
        "Idempotency-Key": ("a", "b"),
        "Baton-Mode": ("queue", "reject"),
        "Content-Type": ("application/json", "application/x+json"),
        "Authorization": (f"Bearer {api.key}", f"Bearer {api.other_key}"),
    }[header]
    more = [] if header == "Authorization" else [("Authorization", f"Bearer {api.key}")]
    before = (await api.http.get("/baton/v1/executions")).json()["items"]
    for given in (values, values[::-1]):
        refused = await raw(api, "POST", path, [*more, *((header, value) for value in given)], body)
        assert refused.status_code == 400, refused.text
        assert is_in_shape(name, reply(refused))
        assert header in refused.text
    assert (await api.http.get("/baton/v1/executions")).json()["items"] == before
    taken = await raw(api, "POST", path, [*more, (header, values[0]), (header, values[0])], body)
    assert taken.status_code == status, taken.text


@pytest.mark.parametrize("name", SPOKEN)
async def test_a_405_names_all_methods_that_the_path_takes(api: RunningApi, name: str) -> None:
    (dialect,) = [dialect for dialect in all_dialects() if dialect.name == name]
    routes = [route for route in dialect.app.routes if isinstance(route, APIRoute)]
    seen = 0
    for path in {route.path for route in routes}:
        methods = {method for route in routes if route.path == path for method in (route.methods or ())}
        allowed = methods | {"HEAD"} if "GET" in methods else methods
        for other in {"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE"} - allowed:
            answer = await api.http.request(other, path.replace("{", "").replace("}", ""))
            if answer.status_code != 405:
                continue  # another path of the dialect, or of another one, is meant
            seen += 1
            assert allowed <= set(answer.headers["allow"].split(", "))
            assert other not in answer.headers["allow"].split(", ")
            assert other == "HEAD" or is_in_shape(name, reply(answer))
    assert seen > 5


async def test_an_allow_header_to_the_letter(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    for path, allowed in (
        ("/baton/v1/executions", "GET, HEAD, POST"),
        (f"/baton/v1/tasks/{task}/messages", "GET, HEAD, POST"),
        ("/baton/v1/messages/x", "DELETE, GET, HEAD, PATCH"),
        (f"/baton/v1/tasks/{task}/cancel", "POST"),
        ("/health", "GET, HEAD"),
    ):
        answer = await api.http.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_head_answers_like_get_without_a_body(api: RunningApi) -> None:
    execution = await start_task(api.http)
    task = execution["tasks"][0]
    plan = await start_plan(api.http)
    for path in (
        "/health",
        "/docs",
        "/docs/baton/openapi.json",
        f"/baton/v1/executions/{execution['id']}",
        f"/baton/v1/tasks/{task['id']}",
        "/baton/v1/executions?limit=1",
        f"/api/v1/tasks/plan/{plan}",
        f"/v1/chat/tasks/{task['number']}",
        f"/v1/ai/agents/tasks/{task['id']}",
        f"/api/v1/tasks/{task['id']}",
        f"/agents/v2/executions/{execution['id']}",
        "/baton/v1/tasks/nothing",
        "/nowhere",
    ):
        got, asked = await api.http.get(path), await api.http.head(path)
        assert (asked.status_code, asked.content) == (got.status_code, b""), path
        for header in ("content-type", "content-length", "etag", "allow"):
            assert asked.headers.get(header) == got.headers.get(header), path
    assert (await api.client(None).head(f"/baton/v1/tasks/{task['id']}")).status_code == 401


async def test_head_of_a_stream_is_its_headers(api: RunningApi) -> None:
    execution = await start_task(api.http)
    task = execution["tasks"][0]
    for path in (
        f"/baton/v1/executions/{execution['id']}/events",
        f"/api/v1/executions/{execution['id']}/stream",
        f"/v1/chat/tasks/{task['number']}/events",
        f"/api/v1/jobs/{task['id']}/logs/stream",
    ):
        answer = await api.http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert not api.app.state.baton.feed._topics
    assert (await api.http.head("/baton/v1/executions/nothing/events")).status_code == 404


async def test_an_encoded_slash_is_part_of_its_segment(api: RunningApi) -> None:
    execution = await start_task(api.http)
    task = execution["tasks"][0]["id"]
    for path in (
        f"/baton/v1/tasks%2F{task}",
        f"/baton/v1/tasks%2f{task}",
        f"/baton/v1%2Ftasks/{task}",
        f"/baton/v1/tasks/{task}%2Fmessages",
        f"/api/v1/executions/{execution['id']}%2Fstream",
    ):
        answer = await api.http.get(path)
        assert answer.status_code == 404, path
    assert (await api.http.get(f"/baton/v1/tasks/{task}")).status_code == 200
    cancel = await api.http.post(f"/baton/v1/tasks/{task}%2Fcancel")
    assert cancel.status_code in (404, 405)
    assert (await api.http.get(f"/baton/v1/tasks/{task}")).json()["state"] != "cancelled"


@pytest.mark.parametrize("name", ["a/b", "a%2Fb", "ä/ö /%", "/"])
async def test_an_agent_whose_name_has_a_slash_is_found(api: RunningApi, name: str) -> None:
    made = await api.http.post("/baton/v1/agents", json={"name": name, "model": "scripted"})
    assert made.status_code == 201, made.text
    path = f"/baton/v1/agents/{quote(name, safe='')}"
    found = await api.http.get(path)
    assert (found.status_code, found.json().get("name")) == (200, name)


async def test_if_match_is_a_list(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    path = f"/baton/v1/tasks/{task}/messages"

    async def sent(tags: str) -> int:
        return (await api.http.post(path, json={"text": "x"}, headers={"If-Match": tags})).status_code

    now = (await api.http.get(f"/baton/v1/tasks/{task}")).headers["etag"]
    version = int(now.strip('"'))
    assert await sent(f'"{version - 1}", "{version + 9}"') == 412
    assert await sent(f"W/{now}") == 412
    assert await sent(f'"{version - 1}", {now}') == 202
    assert await sent(now) == 412
    assert await sent("*") == 202


async def test_a_question_is_answered_whatever_its_uuids_case(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    question = "0192a3b4-5678-7abc-8def-0123456789ab"
    await api.ask(task, "Which?", question)
    headers = {"Baton-Question": question.upper()}
    answer = await api.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "x"}, headers=headers)
    assert answer.status_code == 202, answer.text
    assert (await api.http.get(f"/baton/v1/tasks/{task}")).json()["questions"] == []
