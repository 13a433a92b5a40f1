"""Asteroid's executions from the first call to the last, with an agent at work."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

from httpx import AsyncClient

from tests.support.api import RunningApi

Json = dict[str, Any]
V2 = "/agents/v2"
ADDED = "User message added."
#: What the scripted model comes to after the answer.
DONE = "You said: Europe\nDone."


def client_of(api: RunningApi) -> AsyncClient:
    """A client that sends its key as Asteroid's do."""
    client = api.client(None)
    client.headers["X-Asteroid-Agents-Api-Key"] = api.key
    return client


async def agent_of(http: AsyncClient) -> Json:
    """The tenant's default agent, which somebody must have told the client."""
    started = await http.post("/baton/v1/executions", json={"prompt": "!say hello"})
    agent: Json = started.json()["agent"]
    return agent


async def status_is(http: AsyncClient, execution: str, *statuses: str) -> tuple[Json, str]:
    """Ask until an execution has one of ``statuses``, as a client that polls does; with its `ETag`."""
    async with asyncio.timeout(60):
        while True:
            answer = await http.get(f"{V2}/executions/{execution}")
            assert answer.status_code == 200
            if answer.json()["status"] in statuses:
                return answer.json(), answer.headers.get("etag", "")
            await asyncio.sleep(0.05)


async def payloads(http: AsyncClient, execution: str) -> list[Json]:
    """What has happened in an execution, all of it, in order."""
    found = (await http.get(f"{V2}/executions/{execution}/activities")).json()
    assert len({activity["id"] for activity in found}) == len(found)
    for activity in found:
        UUID(activity["id"])
        datetime.fromisoformat(activity["timestamp"])
        assert activity.keys() == {"id", "executionId", "timestamp", "payload"}
        assert activity["executionId"] == execution
    return [activity["payload"] for activity in found]


def changed(status: str, **more: Any) -> Json:
    """A change of status."""
    return {"activityType": "status_changed", "status": status, **more}


def step(kind: str, number: int) -> Json:
    """A step's beginning or its end."""
    return {"activityType": f"step_{kind}", "stepNumber": number}


def generic(message: str) -> Json:
    """Something that was said or done."""
    return {"activityType": "generic", "message": message}


async def test_from_the_first_call_to_the_last(api: RunningApi) -> None:
    http = client_of(api)
    agent = await agent_of(http)
    asking = '!ask {"question": "Which region?", "choices": ["Europe", "Asia"]}'
    prompt = f"!say Let me see.\n!tool clock {{}}\n{asking}\n!finish Done."
    created = await http.post(
        f"{V2}/agents/{agent['id']}/execute", json={"inputs": {"task": prompt}, "metadata": {"trace": "t-1"}}
    )
    assert created.status_code == 202
    execution = created.json()["executionId"]
    assert created.json() == {"executionId": execution, "status": "running"}
    assert created.headers["baton-execution-id"] == execution
    (task,) = (await http.get(f"/baton/v1/executions/{execution}")).json()["tasks"]
    assert task["description"] == prompt

    waiting, tag = await status_is(http, execution, "paused_by_agent")
    expected: Json = {
        "id": execution,
        "agentId": agent["id"],
        "workflowId": agent["id"],
        "workflowVersionId": agent["id"],
        "status": "paused_by_agent",
        "createdAt": waiting["createdAt"],
        "startedAt": waiting["startedAt"],
        "organizationId": str(await api.tenant_id()),
        "agentName": agent["name"],
        "workflowName": agent["name"],
        "humanLabels": [],
        "comments": [],
        "metadata": {"trace": "t-1"},
        "hasBeenRerun": False,
    }
    assert waiting == expected
    question = {
        "question": "Which region?",
        "header": "Question",
        "options": [{"label": "Europe", "description": "Europe"}, {"label": "Asia", "description": "Asia"}],
    }
    before = await payloads(http, execution)
    assert before == [
        changed("running"),
        step("started", 1),
        {"activityType": "reasoning", "reasoning": before[2]["reasoning"]},
        step("completed", 1),
        generic("Calls clock."),
        generic("clock is done."),
        step("started", 2),
        step("completed", 2),
        changed("paused_by_agent", pausedPayload={"reason": "Which region?", "question": {"questions": [question]}}),
    ]
    assert before[2]["reasoning"].startswith("Let me see.")

    (asked,) = (await http.get(f"/baton/v1/tasks/{task['id']}")).json()["questions"]
    url = f"{V2}/executions/{execution}/user-messages"
    headers = {"If-Match": tag, "Idempotency-Key": "k", "Baton-Question": asked["id"]}
    sent = await http.post(url, json={"message": "Europe"}, headers=headers)
    assert (sent.status_code, sent.text, sent.headers["content-type"]) == (201, ADDED, "text/plain; charset=utf-8")
    assert sent.headers["baton-execution-id"] == execution
    assert sent.headers["etag"] != tag
    receipt = (await http.get(f"/baton/v1/messages/{sent.headers['baton-message-id']}")).json()
    assert (receipt["text"], receipt["origin"], receipt["answers"]) == ("Europe", "asteroid", [asked["id"]])

    finished, _ = await status_is(http, execution, "completed")
    assert finished == expected | {
        "status": "completed",
        "terminalAt": finished["terminalAt"],
        "executionResult": {
            "id": execution,
            "executionId": execution,
            "outcome": "success",
            "reasoning": "The agent has finished.",
            "result": DONE,
            "createdAt": finished["terminalAt"],
        },
    }
    after = (await payloads(http, execution))[len(before) :]
    assert after == [
        {"activityType": "user_message_received", "message": "Europe", "userUUID": after[0]["userUUID"]},
        changed("running"),
        step("started", 1),
        generic(DONE),
        step("completed", 1),
        changed(
            "completed",
            completedPayload={"outcome": "success", "reasoning": "The agent has finished.", "result": DONE},
        ),
    ]
    UUID(after[0]["userUUID"])

    repeat = await http.post(url, json={"message": "Europe"}, headers=headers)
    assert (repeat.status_code, repeat.text, repeat.headers["idempotent-replayed"]) == (201, ADDED, "true")
    assert repeat.headers["baton-message-id"] == sent.headers["baton-message-id"]
    assert (await http.get(f"{V2}/executions", params={"status": "completed", "pageSize": 1})).json()["items"] == [
        finished
    ]

    more = await http.post(url, json={"message": "!finish Again."})
    assert more.status_code == 201
    async with asyncio.timeout(60):
        while (await status_is(http, execution, "completed"))[0]["executionResult"]["result"] != "Again.":
            await asyncio.sleep(0.05)


async def test_any_door(api: RunningApi) -> None:
    """Made here and answered by Baton's own API, and the reverse."""
    http = client_of(api)
    agent = await agent_of(http)
    body = {"inputs": {"task": "!ask Which?\n!finish Well."}}
    execution = (await http.post(f"{V2}/agents/{agent['id']}/execute", json=body)).json()["executionId"]
    await status_is(http, execution, "paused_by_agent")
    (own,) = (await http.get(f"/baton/v1/executions/{execution}")).json()["tasks"]
    assert (own["state"], own["questions"][0]["text"]) == ("waiting", "Which?")
    answered = await http.post(f"/baton/v1/tasks/{own['id']}/messages", json={"text": "This one"})
    assert answered.status_code == 202
    finished, _ = await status_is(http, execution, "completed")
    assert finished["executionResult"]["result"] == "You said: This one\nWell."
    said = [one["message"] for one in await payloads(http, execution) if one["activityType"] == "user_message_received"]
    assert said == ["This one"]

    started = (await http.post("/baton/v1/executions", json={"prompt": "!ask Which?\n!finish Well."})).json()
    (theirs,) = started["tasks"]
    await status_is(http, started["id"], "paused_by_agent")
    message = {"message": "That one"}
    assert (await http.post(f"{V2}/executions/{started['id']}/user-messages", json=message)).status_code == 201
    await status_is(http, started["id"], "completed")
    messages = (await http.get(f"/baton/v1/tasks/{theirs['id']}/messages")).json()["items"]
    assert [(m["text"], m["state"], m["origin"]) for m in messages] == [("That one", "processed", "asteroid")]
    assert (await http.get(f"/baton/v1/tasks/{theirs['id']}")).json()["result"] == "You said: That one\nWell."


async def test_a_plan_of_another_api(api: RunningApi) -> None:
    """Started as a plan, answered as an execution: first who has waited longest, and each once."""
    http = client_of(api)
    tasks = [{"id": n, "title": f"Task {n}", "description": f"!ask Question {n}?\n!finish Well."} for n in (1, 2)]
    started = await http.post(
        "/baton/v1/executions", json={"plan": {"title": "A plan", "tasks": tasks}, "queue": api.settings.task_queue}
    )
    execution = started.json()["id"]
    waiting, _ = await status_is(http, execution, "paused_by_agent")
    assert "executionResult" not in waiting
    inbox = (await http.get("/baton/v1/tasks?state=waiting")).json()["items"]
    assert {task["execution_id"] for task in inbox} == {execution}
    for n, _ in enumerate(inbox):
        answer = await http.post(f"{V2}/executions/{execution}/user-messages", json={"message": f"answer {n}"})
        assert answer.status_code == 201
    finished, _ = await status_is(http, execution, "completed")
    results = {entry["task"]: entry["result"] for entry in finished["executionResult"]["result"]}
    assert results == {task["position"]: f"You said: answer {n}\nWell." for n, task in enumerate(inbox)}
    (told, *_) = [one for one in await payloads(http, execution) if one.get("status") == "paused_by_agent"]
    asked = [question["question"] for question in told["pausedPayload"]["question"]["questions"]]
    assert sorted(asked) == ["Question 1?", "Question 2?"]
