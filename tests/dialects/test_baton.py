"""Is Baton's own API complete, and in one style?"""

import asyncio
from typing import Any

import httpx
import pytest

from baton.client.schemas.executions import ExecutionOut, Executions, StartedExecution
from baton.client.schemas.messages import Accepted, MessageOut, Messages
from baton.client.schemas.problems import ProblemOut
from baton.client.schemas.tasks import TaskOut, Tasks
from tests.dialects.requests import Json, kubiya_plan, kubiya_task, start_plan, start_task, task_ids
from tests.support.api import RunningApi

V1 = "/baton/v1"
NOBODY = "7d3e7c1e-6f6b-4a52-9d0c-2f6a54b6e0a1"


def problem(answer: httpx.Response, status: int, code: str) -> Json:
    """A problem document, checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: Json = answer.json()
    ProblemOut.model_validate(body)
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:baton:problem:{code}")
    assert body["instance"] == answer.request.url.path
    return body


async def test_a_single_task(api: RunningApi) -> None:
    answer = await api.http.post(
        f"{V1}/executions", json={"prompt": "!say hi\nand more", "metadata": {"a": [1]}, "queue": "q"}
    )
    assert answer.status_code == 201
    execution = answer.json()
    ExecutionOut.model_validate(execution)
    assert answer.headers["location"] == f"{V1}/executions/{execution['id']}"
    assert (execution["kind"], execution["title"], execution["state"]) == ("task", "!say hi", "running")
    assert (execution["metadata"], execution["queue"], execution["last_event"]) == ({"a": [1]}, "q", 2)
    (task,) = execution["tasks"]
    assert (task["state"], task["version"], task["position"], task["description"]) == (
        "running",
        1,
        1,
        "!say hi\nand more",
    )
    shown = await api.http.get(answer.headers["location"])
    assert shown.json() == execution
    one = await api.http.get(f"{V1}/tasks/{task['id']}")
    assert one.headers["etag"] == '"1"'
    assert one.json() == task


async def test_a_plan_in_both_forms(api: RunningApi) -> None:
    plain = {"title": "P", "tasks": [{"id": 1, "title": "a", "description": "x"}]}
    for plan in (plain, kubiya_plan(kubiya_task(1)), {"plan": plain}):
        answer = await api.http.post(f"{V1}/executions", json={"plan": plan, "agent": "assistant"})
        assert answer.status_code == 201
        execution = answer.json()
        ExecutionOut.model_validate(execution)
        assert (execution["kind"], execution["state"]) == ("plan", "pending")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": "x", "plan": kubiya_plan()},
        {"plan": kubiya_plan(), "title": "x"},
        {"prompt": ""},
        {"prompt": " \n"},
        {"prompt": 5},
        {"prompt": "x", "agent": True},
        {"prompt": "x", "agent": 1.5},
        {"prompt": "x", "queue": ""},
        {"prompt": "x", "metadata": []},
        {"prompt": "x", "unknown": 1},
        {"prompt": "x", "title": " "},
        {"plan": []},
    ],
)
async def test_an_execution_that_does_not_fit(api: RunningApi, body: Json) -> None:
    found = problem(await api.http.post(f"{V1}/executions", json=body), 422, "invalid_input")
    assert found["problems"]
    assert set(found["problems"][0]) == {"where", "message", "kind"}


async def test_a_plan_that_is_no_dag_names_its_task(api: RunningApi) -> None:
    answer = await api.http.post(f"{V1}/executions", json={"plan": kubiya_plan(kubiya_task(4, 4))})
    found = problem(answer, 422, "invalid_plan")
    assert found["task"] == 4
    assert found["problems"][0]["where"][:2] == ["body", "plan"]


async def test_limits_of_a_plan_of_its_tasks_and_of_a_single_one(api: RunningApi) -> None:
    tasks = [
        {"id": 1, "title": "One", "description": "Do it.", "limits": {"max_calls": 3}},
        {"id": 2, "title": "Two", "description": "Do it."},
    ]
    body = {"plan": {"limits": {"max_usd": 2, "max_tokens": 10}, "tasks": tasks}, "limits": {"max_usd": 0.5}}
    plan = (await api.http.post(f"{V1}/executions", json=body)).json()
    assert plan["limits"] == {"max_usd": 0.5, "max_tokens": 10}
    assert [task["limits"] for task in plan["tasks"]] == [{"max_calls": 3}, {}]
    read = (await api.http.get(f"{V1}/executions/{plan['id']}")).json()
    assert (read["limits"], read["tasks"][0]["limits"]) == (plan["limits"], {"max_calls": 3})
    single = await start_task(api.http, limits={"max_calls_per_turn": 2})
    assert (single["limits"], single["tasks"][0]["limits"]) == ({}, {"max_calls_per_turn": 2})


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"prompt": "x", "limits": {"max_luck": 1}}, ["body", "limits", "max_luck"]),
        ({"prompt": "x", "limits": {"max_calls": 0}}, ["body", "limits", "max_calls"]),
        (
            {"plan": {"limits": {"max_turns": 0}, "tasks": [{"id": 1, "title": "One", "description": "Do it."}]}},
            ["body", "plan", "limits", "max_turns"],
        ),
        (
            {"plan": {"tasks": [{"id": 1, "title": "One", "description": "Do it.", "limits": {"max_usd": "2"}}]}},
            ["body", "plan", "tasks", 0, "limits", "max_usd"],
        ),
    ],
)
async def test_limits_that_make_no_sense_are_refused_by_place(api: RunningApi, body: Json, where: list[Any]) -> None:
    answer = await api.http.post(f"{V1}/executions", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["where"] == where


async def test_executions_are_listed_newest_first_and_page_by_cursor(api: RunningApi) -> None:
    started = [(await start_task(api.http, f"!say {n}"))["id"] for n in range(5)]
    started.append(await start_plan(api.http))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        answer = await api.http.get(f"{V1}/executions", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        Executions.model_validate(answer.json())
        seen += [item["id"] for item in answer.json()["items"]]
        if len(seen) == 2:  # what comes in between moves nothing
            await start_task(api.http)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert seen == started[::-1]
    pending = (await api.http.get(f"{V1}/executions", params={"state": "pending"})).json()["items"]
    assert [(item["id"], item["task_counts"]) for item in pending] == [(started[-1], {"pending": 1})]
    both = (await api.http.get(f"{V1}/executions?state=pending&state=running")).json()["items"]
    assert len(both) == 7


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=%00",
        "cursor=W10",
        "cursor=" + "A" * 5000,
        "cursor=é",
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=" + "9" * 30,
        "state=nonsense",
        "state=",
    ],
)
async def test_a_bad_query(api: RunningApi, query: str) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    for path in (f"{V1}/executions", f"{V1}/tasks", f"{V1}/tasks/{task}/messages"):
        if path.endswith("messages") and query.startswith("state"):
            continue
        problem(await api.http.get(f"{path}?{query}"), 422, "invalid_input")


async def test_the_inbox_shows_who_waits_longest_first(api: RunningApi) -> None:
    execution = await start_plan(api.http, *(kubiya_task(n) for n in range(1, 6)))
    ids = await task_ids(api.http, execution)
    for n in (3, 1, 5):
        await api.ask(ids[n], f"What about {n}?")
    seen: list[int] = []
    cursor: str | None = None
    while True:
        query = {"state": "waiting", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.http.get(f"{V1}/tasks", params=query)).json()
        Tasks.model_validate(page)
        seen += [item["position"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [3, 1, 5]
    (first, *_) = (await api.http.get(f"{V1}/tasks?state=waiting")).json()["items"]
    assert first["questions"] == [
        {
            "id": "q1",
            "text": "What about 3?",
            "choices": [],
            "schema": None,
            "asked_at": "2026-01-01T00:00:00+00:00",
        }
    ]


async def test_tasks_are_listed_newest_first(api: RunningApi) -> None:
    execution = await start_plan(api.http, *(kubiya_task(n) for n in range(1, 6)))
    await start_task(api.http)
    seen: list[int] = []
    cursor: str | None = None
    while True:
        query = {"execution": execution, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.http.get(f"{V1}/tasks", params=query)).json()
        seen += [item["position"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [5, 4, 3, 2, 1]
    problem(await api.http.get(f"{V1}/tasks?execution=x"), 404, "execution_not_found")


async def test_a_message_and_its_receipt(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]
    body = {
        "text": "Look at this.\n",
        "attachments": [{"filename": "a.png", "media_type": "image/png", "url": "https://example.org/a.png"}],
        "metadata": {"from": "test"},
    }
    answer = await api.http.post(f"{V1}/tasks/{task['id']}/messages", json=body)
    assert answer.status_code == 202
    accepted = answer.json()
    Accepted.model_validate(accepted)
    assert accepted["task"] == {"state": "running", "version": 2}
    assert (accepted["seq"], accepted["state"], accepted["execution_id"]) == (1, "accepted", task["execution_id"])
    assert answer.headers["baton-message-id"] == accepted["id"]
    assert answer.headers["baton-execution-id"] == accepted["execution_id"]
    assert answer.headers["etag"] == '"2"'
    assert answer.headers["location"] == f"{V1}/messages/{accepted['id']}"
    receipt = (await api.http.get(answer.headers["location"])).json()
    MessageOut.model_validate(receipt)
    assert (receipt["text"], receipt["attachments"]) == (body["text"], body["attachments"])
    assert (receipt["state"], receipt["turn"], receipt["origin"]) == ("accepted", None, "baton")
    shown = await api.http.get(f"{V1}/tasks/{task['id']}")
    assert (shown.headers["etag"], shown.json()["queued"]) == ('"2"', 1)


async def test_messages_are_listed_in_order(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    path = f"{V1}/tasks/{task}/messages"
    for n in range(5):
        await api.http.post(path, json={"text": str(n)})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await api.http.get(path, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        Messages.model_validate(page)
        seen += [item["text"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ["0", "1", "2", "3", "4"]


BAD_MESSAGES: list[Any] = [
    {},
    {"text": ""},
    {"text": " "},
    {"text": None},
    {"text": 5},
    {"text": "x", "message": "y"},
    {"text": "x", "attachments": {}},
    {"text": "x", "attachments": [{}]},
    {"text": "x", "attachments": [{"filename": "a", "media_type": "image/png", "url": "file:///etc/passwd"}]},
    {"text": "x", "attachments": [{"filename": "a", "media_type": "png", "url": "https://example.org"}]},
    {"text": "x", "metadata": []},
]


@pytest.mark.parametrize("body", BAD_MESSAGES)
async def test_a_message_that_does_not_fit(api: RunningApi, body: Json) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    path = f"{V1}/tasks/{task}/messages"
    problem(await api.http.post(path, json=body), 422, "invalid_input")
    assert (await api.http.get(path)).json()["items"] == []


async def test_what_a_conflict_tells(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    path = f"{V1}/tasks/{task}/messages"
    busy = problem(await api.http.post(path, json={"text": "x"}, headers={"Baton-Mode": "reject"}), 409, "task_busy")
    assert busy["state"] == "running"
    await api.ask(task, "Which?")
    stale = await api.http.post(path, json={"text": "x"}, headers={"If-Match": '"1"'})
    found = problem(stale, 412, "outdated")
    assert (found["version"], found["questions"], stale.headers["etag"]) == (2, ["q1"], '"2"')
    found = problem(await api.http.post(path, json={"text": "x"}, headers={"Baton-Question": "other"}), 412, "outdated")
    assert found["questions"] == ["q1"]
    headers = {"If-Match": '"2"', "Baton-Question": "q1", "Idempotency-Key": "k"}
    fine = await api.http.post(path, json={"text": "x"}, headers=headers)
    assert fine.status_code == 202
    again = await api.http.post(path, json={"text": "x"}, headers=headers)
    assert again.json() == fine.json()
    assert again.headers["idempotent-replayed"] == "true"
    problem(await api.http.post(path, json={"text": "y"}, headers=headers), 422, "idempotency_key_reused")
    await api.set_task(task, state="cancelled")
    closed = problem(await api.http.post(path, json={"text": "z"}), 409, "task_closed")
    assert closed["state"] == "cancelled"


async def test_controlling_a_task_and_an_execution(api: RunningApi) -> None:
    execution = await start_task(api.http)
    task = execution["tasks"][0]["id"]
    for base in (f"{V1}/tasks/{task}", f"{V1}/executions/{execution['id']}"):
        for verb, state in (("pause", "paused"), ("resume", "running"), ("resume", "running")):
            answer = await api.http.post(f"{base}/{verb}")
            assert answer.status_code == 200
            (TaskOut if "tasks" in base else ExecutionOut).model_validate(answer.json())
            assert answer.json()["state"] == state
    answer = await api.http.post(f"{V1}/tasks/{task}/cancel")
    assert (answer.json()["state"], answer.headers["etag"]) == ("cancelled", f'"{answer.json()["version"]}"')
    found = problem(await api.http.post(f"{V1}/tasks/{task}/pause"), 409, "conflict")
    assert found["state"] == "cancelled"
    assert (await api.http.get(f"{V1}/executions/{execution['id']}")).json()["state"] == "cancelled"


@pytest.mark.parametrize(
    "name", [NOBODY, "x", "%00", "1", "é", "0" * 36], ids=["nobody", "x", "nul", "1", "accent", "zeros"]
)
async def test_what_is_not_there(api: RunningApi, name: str) -> None:
    for method, path, code in (
        ("GET", f"executions/{name}", "execution_not_found"),
        ("GET", f"executions/{name}/events", "execution_not_found"),
        ("GET", f"executions/{name}/export", "execution_not_found"),
        ("POST", f"executions/{name}/cancel", "execution_not_found"),
        ("POST", f"executions/{name}/pause", "execution_not_found"),
        ("POST", f"executions/{name}/resume", "execution_not_found"),
        ("GET", f"tasks/{name}", "task_not_found"),
        ("GET", f"tasks/{name}/events", "task_not_found"),
        ("GET", f"tasks/{name}/messages", "task_not_found"),
        ("POST", f"tasks/{name}/messages", "task_not_found"),
        ("POST", f"tasks/{name}/cancel", "task_not_found"),
        ("GET", f"messages/{name}", "message_not_found"),
    ):
        json = {"text": "x"} if method == "POST" else None
        answer = await api.http.request(method, f"{V1}/{path}", json=json)
        assert answer.status_code == 404
        assert answer.json()["code"] == code


async def test_unknown_paths_and_wrong_methods(api: RunningApi) -> None:
    problem(await api.http.get(f"{V1}/nothing"), 404, "no_such_path")
    problem(await api.http.get(V1), 404, "no_such_path")
    problem(await api.http.get(f"{V1}/tasks/"), 404, "no_such_path")
    answer = await api.http.delete(f"{V1}/tasks")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_many_senders_get_one_seq_each(api: RunningApi) -> None:
    task = (await start_task(api.http))["tasks"][0]["id"]
    client = api.http

    async def send(n: int) -> Any:
        return (await client.post(f"{V1}/tasks/{task}/messages", json={"text": str(n)})).json()["seq"]

    assert sorted(await asyncio.gather(*(send(n) for n in range(40)))) == list(range(1, 41))


async def test_keys_of_a_plan_that_nobody_reads(api: RunningApi) -> None:
    misspelt = {"id": 2, "title": "b", "description": "y", "depend_on": [1]}
    plain = {"title": "P", "tasks": [{"id": 1, "title": 2.4, "description": "x"}, misspelt]}
    answer = await api.http.post(f"{V1}/executions", json={"plan": plain})
    refused = problem(answer, 422, "invalid_plan")
    assert [(one["where"], one["message"]) for one in refused["problems"]] == [
        (
            ["body", "plan", "tasks", 1, "depend_on"],
            "task 2 has an unknown key 'depend_on'; did you mean 'depends_on'?",
        ),
        (["body", "plan", "tasks", 0, "title"], 'task 1: title must be text, not a number: write "2.4"'),
    ]
    teams = kubiya_plan(kubiya_task(1), kubiya_task(2, depend_on=[1]))
    started = StartedExecution.model_validate((await api.http.post(f"{V1}/executions", json={"plan": teams})).json())
    assert started.warnings == ["task 2 has an unknown key 'depend_on'; did you mean 'depends_on'?"]
