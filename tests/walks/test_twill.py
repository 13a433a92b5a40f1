"""Twill's API from the first call to the last, with an agent at work."""

import asyncio
import json
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from baton.domain.agents import Agent
from baton.store import agents
from tests.support.api import RunningApi
from tests.support.openai_server import running_openai_server

Json = dict[str, Any]
TASKS, JOBS = "/api/v1/tasks", "/api/v1/jobs"
#: What the scripted model comes to after the answer.
DONE = "You said: Europe\nDone."
LONG = 60


async def job_is(http: AsyncClient, task: str, *statuses: str) -> Json:
    """Ask until a task's last job has one of ``statuses``, as a client that polls does."""
    async with asyncio.timeout(LONG):
        while True:
            answer = await http.get(f"{TASKS}/{task}")
            assert answer.status_code == 200
            if answer.json()["latestJob"]["status"] in statuses:
                return answer.json() | {"etag": answer.headers["etag"]}
            await asyncio.sleep(0.05)


async def log_of(http: AsyncClient, job: str, cursor: str | None = None, live: list[Json] | None = None) -> list[Json]:
    """All of a job's log, until the server ends it. Nothing but comments, `retry`, `id` and `data` lines may come.

    ``live`` has what has come so far.
    """
    headers = {} if cursor is None else {"Last-Event-ID": cursor}
    seen: list[Json] = [] if live is None else live
    async with (
        asyncio.timeout(LONG),
        http.stream("GET", f"{JOBS}/{job}/logs/stream", headers=headers, timeout=None) as answer,
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        last_id = ""
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            assert field in ("", "retry", "id", "data"), line
            if field == "id":
                last_id = value
            elif field == "data":
                seen.append(json.loads(value) | {"id": last_id})
    return seen


def without(body: Json, *fields: str) -> Json:
    """A body without what no test can know; all of it must be there."""
    assert body.keys() >= set(fields), body
    return {name: value for name, value in body.items() if name not in fields}


def kinds(log: list[Json]) -> list[str]:
    """What happened, without the pieces of text, of which there may be any number."""
    return [frame["type"] for frame in log if frame["type"] != "text"]


def said(log: list[Json]) -> str:
    """The pieces of text, put together."""
    return "".join(frame["text"] for frame in log if frame["type"] == "text")


async def test_from_the_first_call_to_the_last(api: RunningApi) -> None:
    http = api.http
    me = (await http.get("/api/v1/auth/me")).json()
    assert without(me, "userId", "apiKeyId") == {
        "workspaceId": str(await api.tenant_id()),
        "workspaceName": api.tenant,
        "workspaceSlug": api.tenant,
    }

    command = "!say Let me see.\n!tool clock {}\n!ask Which region?\n!finish Done."
    created = await http.post(TASKS, json={"command": command, "title": "Où aller ?", "userIntent": "ASK"})
    assert created.status_code == 201
    task, first = created.json()["task"], created.json()["job"]
    assert created.json().keys() == {"task", "job"}
    slug = task["slug"]
    assert slug.startswith("ou-aller-")
    assert without(task, "id") == {"slug": slug, "title": "Où aller ?", "url": f"{api.url}{TASKS}/{slug}"}
    assert first == {"id": task["id"], "status": "PENDING"}

    log = await log_of(http, first["id"])
    assert kinds(log)[0] == "connected"
    assert kinds(log)[-1] == "complete"
    assert kinds(log).count("historical_complete") == 1
    happened = [kind for kind in kinds(log) if kind != "historical_complete"]
    assert happened[:2] == ["connected", "status"]
    assert "tool_call" in happened
    assert happened[-2:] == ["question", "complete"]
    assert without(log[-1], "id") == {"type": "complete", "status": "completed"}
    assert said(log).startswith("Let me see.")
    (asked,) = [frame for frame in log if frame["type"] == "question"]
    assert asked["question"] == "Which region?"

    waiting = await job_is(http, slug, "COMPLETED")
    assert without(waiting["latestJob"], "startedAt", "completedAt") == {
        "id": first["id"],
        "status": "COMPLETED",
        "type": "ASK",
        "plan": None,
        "finalAnswer": "Which region?",
    }
    assert without(waiting["task"], "createdAt", "updatedAt") == task
    started, ended = (datetime.fromisoformat(waiting["latestJob"][at]) for at in ("startedAt", "completedAt"))
    assert started <= ended

    body = {"message": "Europe"}
    headers = {"If-Match": waiting["etag"], "Idempotency-Key": "k"}
    sent = await http.post(f"{TASKS}/{slug}/messages", json=body, headers=headers)
    assert sent.status_code == 200
    second = sent.json()["job"]
    assert sent.json() == {"job": {"id": sent.headers["baton-message-id"], "status": "PENDING"}}
    assert sent.headers["baton-execution-id"] == created.headers["baton-execution-id"]
    assert sent.headers["etag"] != waiting["etag"]
    receipt = (await http.get(f"/baton/v1/messages/{second['id']}")).json()
    assert (receipt["text"], receipt["origin"], len(receipt["answers"])) == ("Europe", "twill", 1)

    log = await log_of(http, second["id"])
    assert without(log[-1], "id") == {"type": "complete", "status": "completed"}
    assert said(log) == DONE
    assert (await log_of(http, first["id"]))[-1]["status"] == "completed"

    finished = await job_is(http, task["id"], "COMPLETED")
    assert without(finished["latestJob"], "startedAt", "completedAt") == {
        "id": second["id"],
        "status": "COMPLETED",
        "type": "ASK",
        "plan": None,
        "finalAnswer": DONE,
    }
    history = (await http.get(f"{TASKS}/{slug}/jobs")).json()
    assert history["nextCursor"] is None
    assert [(j["id"], j["input"], j["status"], j["finalAnswer"], j["error"]) for j in history["jobs"]] == [
        (first["id"], command, "COMPLETED", "Which region?", None),
        (second["id"], "Europe", "COMPLETED", DONE, None),
    ]

    again = await http.post(f"{TASKS}/{slug}/messages", json=body, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (200, sent.json(), "true")
    other = await http.post(f"{TASKS}/{slug}/messages", json={"message": "Asia"}, headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")

    listed = (await http.get(TASKS)).json()
    assert [without(t, "createdAt") for t in listed["tasks"]] == [task | {"latestJobStatus": "COMPLETED"}]
    archived = await http.post(f"{TASKS}/{slug}/archive", json={})
    assert (archived.status_code, archived.json()) == (200, {"success": True, "task": {"id": task["id"]}})
    assert (await http.get(TASKS)).json() == {"tasks": [], "nextCursor": None}
    assert (await http.get(f"{TASKS}/{slug}")).status_code == 200


async def test_a_message_during_a_job_cancels_it_and_makes_the_next(api: RunningApi) -> None:
    http = api.http
    created = (await http.post(TASKS, json={"command": "!stream 3\n!sleep 50"})).json()
    task, first = created["task"]["id"], created["job"]["id"]
    await job_is(http, task, "IN_PROGRESS")
    live: list[Json] = []
    following = asyncio.create_task(log_of(http, first, live=live))
    async with asyncio.timeout(LONG):
        while not said(live):
            await asyncio.sleep(0.02)
    sent = await http.post(f"{TASKS}/{task}/messages", json={"message": "!finish Something else."})
    second = sent.json()["job"]["id"]

    now = (await http.get(f"{TASKS}/{task}/jobs")).json()["jobs"]
    assert [job["id"] for job in now] == [first, second]
    assert now[0]["status"] == "CANCELLED"  # at once, whether or not its step has stopped by now
    assert without((await following)[-1], "id") == {"type": "complete", "status": "cancelled"}

    assert (await log_of(http, second))[-1]["status"] == "completed"
    jobs = (await http.get(f"{TASKS}/{task}/jobs")).json()["jobs"]
    assert [(job["status"], job["finalAnswer"]) for job in jobs] == [
        ("CANCELLED", None),
        ("COMPLETED", "Something else."),
    ]
    assert all(job["startedAt"] and job["completedAt"] for job in jobs)
    # the log of a job that was cancelled is there afterwards, and has its end
    log = await log_of(http, first)
    assert without(log[-1], "id") == {"type": "complete", "status": "cancelled"}
    assert said(log)
    assert said(log).startswith(said(live))
    seen = next(number for number, frame in enumerate(log) if frame["type"] == "text")
    assert await log_of(http, first, log[seen]["id"]) == [log[0], *log[seen + 1 :]]


async def test_a_job_is_cancelled_and_the_next_message_goes_on(api: RunningApi) -> None:
    http = api.http
    created = (await http.post(TASKS, json={"command": "!sleep 50"})).json()
    task, first = created["task"]["id"], created["job"]["id"]
    await job_is(http, task, "IN_PROGRESS")
    following = asyncio.create_task(log_of(http, first))
    cancelled = await http.post(f"{JOBS}/{first}/cancel", json={})
    assert (cancelled.status_code, cancelled.json()) == (
        200,
        {"success": True, "job": {"id": first, "status": "CANCELLED"}},
    )
    assert (await http.get(f"/baton/v1/tasks/{task}")).json()["state"] == "paused"
    assert (await following)[-1]["status"] == "cancelled"
    assert (await http.post(f"{JOBS}/{first}/cancel")).json() == cancelled.json()

    sent = await http.post(f"{TASKS}/{task}/messages", json={"message": "!finish Well."})
    second = sent.json()["job"]["id"]
    assert (await log_of(http, second))[-1]["status"] == "completed"
    refused = await http.post(f"{JOBS}/{second}/cancel")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert (await job_is(http, task, "COMPLETED"))["latestJob"]["id"] == second
    jobs = (await http.get(f"{TASKS}/{task}/jobs")).json()["jobs"]
    assert [job["status"] for job in jobs] == ["CANCELLED", "COMPLETED"]


async def test_files_reach_the_model(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A linked picture as its link, for the provider to fetch; what a `data:` URL holds as itself; nothing private."""
    http = api.http
    picture = {"filename": "cat.png", "mediaType": "image/png", "url": "https://example.com/cat.png"}
    note = {"filename": "note.txt", "mediaType": "text/plain", "url": "data:text/plain;base64,bWVvdw=="}
    dot = {"filename": "dot.png", "mediaType": "image/png", "url": "data:image/png;base64,iVBORw0KGgo="}
    inside = {"filename": "meta.png", "mediaType": "image/png", "url": "http://169.254.169.254/latest/meta-data"}
    with running_openai_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        async with api.pool.connection() as connection:
            new = Agent(await api.tenant_id(), uuid4(), 0, "seer", "openai-chat:gpt-5-mini")
            await agents.insert(connection, new)
        body = {"command": "Look at these.", "agent": "seer", "files": [picture, note, dot, inside]}
        task = (await http.post(TASKS, json=body)).json()["task"]
        await job_is(http, task["id"], "COMPLETED")
        sent = await http.post(f"{TASKS}/{task['slug']}/messages", json={"message": "And this.", "files": [picture]})
        assert (await log_of(http, sent.json()["job"]["id"]))[-1]["status"] == "completed"
        first, second = (
            [said["content"] for said in asked.body["messages"] if said["role"] == "user"] for asked in server.asked
        )
    (given,) = first
    links = [part["image_url"]["url"] for part in given if part["type"] == "image_url"]
    assert links == [picture["url"], dot["url"]]
    texts = [part["text"] for part in given if part["type"] == "text"]
    assert "Look at these." in texts[0]
    assert "[Attachment: note.txt (text/plain)]\nmeow" in texts[1]
    assert "[Attachment: meta.png (image/png): its address is not public.]" in texts[-1]
    assert second[0] == given
    assert {"type": "image_url", "image_url": {"url": picture["url"]}} in second[1]


async def test_any_door(api: RunningApi) -> None:
    """Made here and answered by Baton's own API, and the reverse; a key counts through both."""
    http = api.http
    created = (await http.post(TASKS, json={"command": "!ask Which?\n!finish Well."})).json()["task"]
    await job_is(http, created["id"], "COMPLETED")
    own = (await http.get(f"/baton/v1/tasks/{created['id']}")).json()
    assert (own["state"], own["questions"][0]["text"]) == ("waiting", "Which?")
    answered = await http.post(
        f"/baton/v1/tasks/{own['id']}/messages", json={"text": "This one"}, headers={"Idempotency-Key": "one"}
    )
    assert answered.status_code == 202
    again = await http.post(
        f"{TASKS}/{created['slug']}/messages", json={"message": "This one"}, headers={"Idempotency-Key": "one"}
    )
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["job"] == {"id": answered.json()["id"], "status": "PENDING"}
    assert (await log_of(http, again.json()["job"]["id"]))[-1]["status"] == "completed"

    started = (await http.post("/baton/v1/executions", json={"prompt": "!ask Which?\n!finish Well."})).json()
    (theirs,) = started["tasks"]
    seen = await job_is(http, theirs["id"], "COMPLETED")
    assert seen["latestJob"]["finalAnswer"] == "Which?"
    sent = await http.post(f"{TASKS}/{seen['task']['slug']}/messages", json={"message": "That one"})
    assert sent.status_code == 200
    assert (await log_of(http, sent.json()["job"]["id"]))[-1]["status"] == "completed"
    messages = (await http.get(f"/baton/v1/tasks/{theirs['id']}/messages")).json()["items"]
    assert [(m["text"], m["state"], m["origin"]) for m in messages] == [("That one", "processed", "twill")]
    assert (await http.get(f"/baton/v1/tasks/{theirs['id']}")).json()["result"] == "You said: That one\nWell."
