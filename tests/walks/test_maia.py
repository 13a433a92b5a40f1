"""Maia's agent tasks from the first call to the last, with an agent at work."""

import asyncio
from typing import Any
from uuid import uuid4

from httpx import AsyncClient

from baton.domain.agents import Agent
from baton.store import agents
from tests.support.api import RunningApi

Json = dict[str, Any]
TASKS = "/v1/ai/agents/tasks"
AGENT: Json = {"name": "data_engineer_agent"}
#: What the scripted model comes to after the answer.
DONE = "You said: Europe\nDone."


async def status_is(http: AsyncClient, task: str, *statuses: str) -> Json:
    """Ask until a task has one of ``statuses``, as a client that polls does."""
    async with asyncio.timeout(60):
        while True:
            answer = await http.get(f"{TASKS}/{task}")
            assert answer.status_code == 200
            if answer.json()["status"] in statuses:
                return answer.json() | {"etag": answer.headers["etag"]}
            await asyncio.sleep(0.05)


async def said(http: AsyncClient, task: str) -> list[Json]:
    """All that was said and done, read by pages of three."""
    results: list[Json] = []
    query = {"limit": "3"}
    while True:
        page = (await http.get(f"{TASKS}/{task}/messages", params=query)).json()
        results += page["results"]
        if "more" not in page:
            return results
        query["paginationToken"] = page["more"]


def without(body: Json, *fields: str) -> Json:
    """A body without what no test can know; all of it must be there."""
    assert body.keys() >= set(fields)
    return {name: value for name, value in body.items() if name not in fields}


async def agent_that_asks(api: RunningApi) -> str:
    """An agent whose tools need permission; its name."""
    name = f"careful-{uuid4()}"
    new = Agent(
        await api.tenant_id(),
        uuid4(),
        0,
        name,
        "scripted",
        tools=("clock", "write_note", "read_notes"),
        policies={"write_note": "ask"},
    )
    async with api.pool.connection() as connection:
        await agents.insert(connection, new)
    return name


async def notes_of(api: RunningApi, execution: str) -> dict[str, str]:
    """What the tasks of an execution have written down."""
    async with api.pool.connection() as connection:
        rows = await connection.fetch("SELECT name, text FROM notes WHERE execution_id = $1", execution)
    return {row["name"]: row["text"] for row in rows}


async def test_from_the_first_call_to_the_last(api: RunningApi) -> None:
    http = api.http
    prompt = "!say Let me see.\n!tool clock {}\n!ask Which region?\n!finish Done."
    config = AGENT | {"environmentName": "dev", "mode": "ACT"}
    created = await http.post(TASKS, json={"agentConfig": config, "message": prompt})
    assert created.status_code == 201
    task = created.json()["taskId"]
    assert without(created.json(), "createdAt") == {
        "taskId": task,
        "status": "RUNNING",
        "agentName": "data_engineer_agent",
    }
    execution = created.headers["baton-execution-id"]

    waiting = await status_is(http, task, "STOPPED")
    (asked,) = waiting["pendingDecisions"]
    assert without(waiting, "modifiedAt", "etag") == {
        "taskId": task,
        "status": "STOPPED",
        "description": prompt,
        "createdAt": created.json()["createdAt"],
        "agentConfig": config,
        "grantedPermissions": [],
        "pendingDecisions": [
            {
                "type": "question",
                "id": asked["id"],
                "questions": [{"question": "Which region?", "options": [], "schema": None}],
            }
        ],
    }

    headers = {"If-Match": waiting["etag"], "Idempotency-Key": "k", "Baton-Question": asked["id"]}
    body = {"agentConfig": AGENT, "grantedPermissions": None, "message": "Europe"}
    sent = await http.post(f"{TASKS}/{task}/messages", json=body, headers=headers)
    assert (sent.status_code, sent.json()) == (202, {"taskId": task})
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["baton-execution-id"] == execution
    assert sent.headers["etag"] != waiting["etag"]
    receipt = (await http.get(f"/baton/v1/messages/{sent.headers['baton-message-id']}")).json()
    assert (receipt["text"], receipt["origin"], receipt["answers"]) == ("Europe", "maia", [asked["id"]])

    async with asyncio.timeout(60):
        while (own := (await http.get(f"/baton/v1/tasks/{task}")).json())["state"] != "succeeded":
            await asyncio.sleep(0.05)
    assert own["result"] == DONE
    finished = await status_is(http, task, "STOPPED")
    assert without(finished, "modifiedAt", "etag") == without(waiting, "modifiedAt", "etag") | {"pendingDecisions": []}

    results = await said(http, task)
    assert results == (await http.get(f"{TASKS}/{task}/messages", params={"limit": 1000})).json()["results"]
    assert [one["timestamp"] for one in results] == sorted(one["timestamp"] for one in results)
    kinds = [one["data"]["type"] for one in results]
    assert kinds[0] == "user_message"
    assert kinds[-2:] == ["agent_message", "status"]
    spoken = [one["data"] for one in results if one["data"].get("content")]
    assert [(one["role"], one["content"]) for one in spoken if one["role"] == "user"] == [
        ("user", prompt),
        ("user", "Europe"),
    ]
    assert spoken[-1]["content"] == DONE
    (call,) = [one for one in results if one["data"]["type"] == "tool_call"]
    (gave,) = [one for one in results if one["data"]["type"] == "tool_result"]
    assert call["data"] == {
        "type": "tool_call",
        "toolCallId": call["data"]["toolCallId"],
        "toolName": "clock",
        "toolInput": {},
    }
    assert call["groupId"] == gave["groupId"] == "turn-1"
    assert without(gave["data"], "toolOutput") == without(call["data"], "toolInput") | {
        "type": "tool_result",
        "failed": False,
    }
    assert results[-1]["data"] == {"type": "status", "status": "STOPPED", "result": DONE, "error": None}

    repeat = await http.post(f"{TASKS}/{task}/messages", json=body, headers=headers)
    assert (repeat.status_code, repeat.json()) == (202, {"taskId": task})
    assert repeat.headers["idempotent-replayed"] == "true"
    assert repeat.headers["baton-message-id"] == sent.headers["baton-message-id"]
    # across doors: the same key, the same message
    other = await http.post(
        f"/baton/v1/tasks/{task}/messages",
        json={"text": "Europe"},
        headers={"Idempotency-Key": "k", "Baton-Question": asked["id"]},
    )
    assert (other.status_code, other.json()["id"]) == (202, sent.headers["baton-message-id"])
    assert other.headers["idempotent-replayed"] == "true"
    listed = (await http.get(TASKS, params={"status": "STOPPED"})).json()
    assert [one["taskId"] for one in listed["tasks"]] == [task]


async def test_permission_is_asked_for_and_given(api: RunningApi) -> None:
    http, name = api.http, await agent_that_asks(api)
    write = '!tool write_note {"name": "n", "text": "%s"}'
    prompt = "\n".join((write % "one", "!ask Go on?", write % "two", "!finish Done."))
    created = await http.post(TASKS, json={"agentConfig": {"name": name}, "message": prompt})
    task, execution = created.json()["taskId"], created.headers["baton-execution-id"]
    (tool,) = (await status_is(http, task, "STOPPED"))["pendingDecisions"]
    assert tool == {
        "type": "tool",
        "toolId": tool["toolId"],
        "toolName": "write_note",
        "toolInput": {"name": "n", "text": "one"},
        "permissionMessage": {
            "title": "Call write_note",
            "body": 'May write_note be called with {"name": "n", "text": "one"}?',
        },
    }
    assert await notes_of(api, execution) == {}
    decided = await http.post(
        f"{TASKS}/{task}/decisions", json={"decisions": [{"type": "approve", "id": tool["toolId"]}]}
    )
    assert (decided.status_code, decided.json()) == (200, {"pendingDecisions": []})
    (asked,) = (await status_is(http, task, "STOPPED"))["pendingDecisions"]
    assert (asked["type"], await notes_of(api, execution)) == ("question", {"n": "one"})

    permitted = {"message": "Yes", "grantedPermissions": [{"toolName": "write_note"}]}
    assert (await http.post(f"{TASKS}/{task}/messages", json=permitted)).status_code == 202
    finished = await status_is(http, task, "STOPPED", "ERRORED")
    assert finished["pendingDecisions"] == []
    assert finished["grantedPermissions"] == [{"toolName": "write_note"}]
    assert await notes_of(api, execution) == {"n": "two"}


async def test_a_decision_answers_a_question_and_declines_a_call(api: RunningApi) -> None:
    http, name = api.http, await agent_that_asks(api)
    prompt = '!tool write_note {"name": "n", "text": "one"}\n!finish Done.'
    created = await http.post(TASKS, json={"agentConfig": {"name": name}, "message": prompt})
    task, execution = created.json()["taskId"], created.headers["baton-execution-id"]
    (tool,) = (await status_is(http, task, "STOPPED"))["pendingDecisions"]
    refuse = {"decisions": [{"type": "decline", "id": tool["toolId"]}]}
    assert (await http.post(f"{TASKS}/{task}/decisions", json=refuse)).json() == {"pendingDecisions": []}
    await status_is(http, task, "STOPPED")
    assert await notes_of(api, execution) == {}

    again = await http.post(f"{TASKS}/{task}/messages", json={"message": "!ask Which? \n!finish Well."})
    assert again.status_code == 202
    async with asyncio.timeout(60):
        while not (pending := (await http.get(f"{TASKS}/{task}")).json()["pendingDecisions"]):
            await asyncio.sleep(0.05)
    answer = {
        "type": "question",
        "id": pending[0]["id"],
        "answers": [{"questionIndex": 0, "selectedOptions": ["This"]}],
    }
    decided = await http.post(f"{TASKS}/{task}/decisions", json={"decisions": [answer]})
    assert (decided.status_code, decided.json()) == (200, {"pendingDecisions": []})
    await status_is(http, task, "STOPPED")
    assert (await http.get(f"/baton/v1/tasks/{task}")).json()["result"] == "You said: This\nWell."


async def test_a_task_that_plans_changes_nothing_until_it_is_told_to_act(api: RunningApi) -> None:
    http = api.http
    write = '!tool write_note {"name": "n", "text": "%s"}'
    prompt = "\n".join((write % "planned", "!tool read_notes {}", "!ask Shall I?", write % "acted", "!finish Done."))
    created = await http.post(TASKS, json={"agentConfig": AGENT | {"mode": "PLAN"}, "message": prompt})
    task, execution = created.json()["taskId"], created.headers["baton-execution-id"]
    planned = await status_is(http, task, "STOPPED")
    assert planned["agentConfig"] == AGENT | {"mode": "PLAN"}
    assert [one["type"] for one in planned["pendingDecisions"]] == ["question"]
    assert await notes_of(api, execution) == {}
    results = {
        one["data"]["toolName"]: one["data"] for one in await said(http, task) if one["data"]["type"] == "tool_result"
    }
    assert results["write_note"]["failed"] is True
    assert "plan mode" in results["write_note"]["toolOutput"]
    assert (results["read_notes"]["failed"], results["read_notes"]["toolOutput"]) == (False, {})

    act = {"message": "Do it", "agentConfig": AGENT | {"mode": "ACT"}}
    assert (await http.post(f"{TASKS}/{task}/messages", json=act)).status_code == 202
    finished = await status_is(http, task, "STOPPED", "ERRORED")
    assert (finished["status"], finished["agentConfig"]["mode"]) == ("STOPPED", "ACT")
    assert await notes_of(api, execution) == {"n": "acted"}


async def test_stop_and_go_on(api: RunningApi) -> None:
    http = api.http
    created = await http.post(TASKS, json={"agentConfig": AGENT, "message": "!say Now.\n!sleep 300"})
    task = created.json()["taskId"]
    async with asyncio.timeout(60):
        while (await http.get(f"/baton/v1/tasks/{task}")).json()["turn"] != 1:
            await asyncio.sleep(0.05)
    stopped = await http.post(f"{TASKS}/{task}/stop")
    assert stopped.status_code == 202
    assert stopped.json() == {"taskId": task, "status": stopped.json()["status"]}
    assert stopped.json()["status"] in ("STOPPING", "STOPPED")
    await status_is(http, task, "STOPPED")
    assert (await http.get(f"/baton/v1/tasks/{task}")).json()["state"] == "paused"
    assert (await http.post(f"{TASKS}/{task}/messages", json={"message": "!finish After all."})).status_code == 202
    await status_is(http, task, "STOPPED")
    assert "After all." in (await http.get(f"/baton/v1/tasks/{task}")).json()["result"]


async def test_any_door(api: RunningApi) -> None:
    """Made here and answered by Baton's own API, and the reverse."""
    http = api.http
    body = {"agentConfig": AGENT, "message": "!ask Which?\n!finish Well."}
    created = await http.post(TASKS, json=body)
    task = created.json()["taskId"]
    await status_is(http, task, "STOPPED")
    own = (await http.get(f"/baton/v1/tasks/{task}")).json()
    assert (own["state"], own["questions"][0]["text"]) == ("waiting", "Which?")
    assert (await http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "This one"})).status_code == 202
    assert (await status_is(http, task, "STOPPED"))["pendingDecisions"] == []
    assert "This one" in [one["data"].get("content") for one in await said(http, task)]

    started = (await http.post("/baton/v1/executions", json={"prompt": "!ask Which?\n!finish Well."})).json()
    theirs = started["tasks"][0]["id"]
    waiting = await status_is(http, theirs, "STOPPED")
    assert waiting["agentConfig"] == {"name": "assistant", "mode": "ACT"}
    assert (await http.post(f"{TASKS}/{theirs}/messages", json={"message": "That one"})).status_code == 202
    await status_is(http, theirs, "STOPPED")
    messages = (await http.get(f"/baton/v1/tasks/{theirs}/messages")).json()["items"]
    assert [(m["text"], m["state"], m["origin"]) for m in messages] == [("That one", "processed", "maia")]
    assert (await http.get(f"/baton/v1/tasks/{theirs}")).json()["result"] == "You said: That one\nWell."
