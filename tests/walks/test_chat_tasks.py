"""Chat tasks from the first call to the last, with an agent at work."""

import asyncio
from datetime import datetime
from typing import Any

from httpx import AsyncClient

from tests.support.api import RunningApi
from tests.support.frames import Seen, everything

Json = dict[str, Any]
TASKS = "/v1/chat/tasks"
#: What the scripted model comes to after the answer.
DONE = "You said: Europe\nDone."


async def agent_of(http: AsyncClient) -> int:
    """The integer of the tenant's default agent, which somebody must have told the client."""
    started = await http.post("/baton/v1/executions", json={"prompt": "!say hello"})
    return int(started.json()["agent"]["number"])


async def status_is(http: AsyncClient, task: int, *statuses: str) -> Json:
    """Ask until a task has one of ``statuses``, as a client that polls does."""
    async with asyncio.timeout(60):
        while True:
            answer = await http.get(f"{TASKS}/{task}")
            assert answer.status_code == 200
            if answer.json()["status"] in statuses:
                return answer.json() | {"etag": answer.headers["etag"]}
            await asyncio.sleep(0.05)


def names(frames: list[Seen]) -> list[str]:
    """What happened, without the pieces of text, of which there may be any number."""
    return [frame.event for frame in frames if frame.event != "message.delta"]


def without(body: Json, *fields: str) -> Json:
    """A body without what no test can know; all of it must be there."""
    assert body.keys() >= set(fields)
    return {name: value for name, value in body.items() if name not in fields}


def ending(frames: list[Seen]) -> str:
    """The id of an end frame: it comes after all that the last event before it makes."""
    return f"{frames[-2].id.split('.')[0]}.9999"


async def test_from_the_first_call_to_the_last(api: RunningApi) -> None:
    http = api.http
    agent = await agent_of(http)
    prompt = "!say Let me see.\n!tool clock {}\n!ask Which region?\n!finish Done."
    created = await http.post(
        TASKS, json={"agent_id": agent, "message": {"role": "user", "content": prompt}, "metadata": {"trace": "t-1"}}
    )
    assert created.status_code == 202
    task = created.json()["task_id"]
    assert without(created.json(), "created_at") == {"task_id": task, "agent_id": agent, "status": "running"}
    execution = created.headers["baton-execution-id"]
    assert (await http.get(f"/baton/v1/executions/{execution}")).json()["metadata"] == {"trace": "t-1"}

    first = await everything(http, f"{TASKS}/{task}/events")
    assert first[-1] == Seen(ending(first), "task.input_required", {"task_id": task, "prompt": "Which region?"})
    assert names(first)[0] == "task.status"
    assert names(first)[-2:] == ["task.status", "task.input_required"]

    waiting = await status_is(http, task, "waiting_for_user")
    (asked,) = waiting["pending_interaction"]["interactions"]
    assert without(waiting, "created_at", "etag") == {
        "task_id": task,
        "agent_id": agent,
        "status": "waiting_for_user",
        "input": prompt,
        "output": None,
        "error": None,
        "completed_at": None,
        "pending_interaction": {
            "question": "Which region?",
            "interactions": [
                {"type": "text", "id": asked["id"], "question": "Which region?", "choices": [], "schema": None}
            ],
        },
    }

    said = {"agent_id": agent, "message": {"role": "user", "content": "Europe"}, "metadata": {"trace": "t-2"}}
    sent = await http.post(
        f"{TASKS}/{task}/reply",
        json=said,
        headers={"If-Match": waiting["etag"], "Idempotency-Key": "k", "Baton-Question": asked["id"]},
    )
    assert sent.status_code == 202
    assert without(sent.json(), "accepted_at") == {"task_id": task, "agent_id": agent, "status": "running"}
    assert sent.headers["baton-execution-id"] == execution
    assert sent.headers["etag"] != waiting["etag"]
    receipt = (await http.get(f"/baton/v1/messages/{sent.headers['baton-message-id']}")).json()
    assert (receipt["text"], receipt["origin"], receipt["answers"]) == ("Europe", "chat_tasks", [asked["id"]])
    assert datetime.fromisoformat(receipt["accepted_at"]) == datetime.fromisoformat(sent.json()["accepted_at"])

    last_seen = next(frame.id for frame in reversed(first) if frame.id)
    second = await everything(http, f"{TASKS}/{task}/events", last_seen)
    assert second[-1] == Seen(
        ending(second), "task.completed", {"status": "completed", "output": DONE, "error": None}
    ), names(second)
    assert names(second)[:2] == ["step.completed", "task.status"]
    assert second[0].data["step"]["data"] == {"role": "user", "content": "Europe"}

    finished = await status_is(http, task, "completed")
    assert without(finished, "created_at", "completed_at", "etag") == {
        "task_id": task,
        "agent_id": agent,
        "status": "completed",
        "input": "Europe",
        "output": DONE,
        "error": None,
    }
    assert finished["completed_at"] is not None

    timeline = (await http.get(f"{TASKS}/{task}/steps")).json()
    assert without(timeline, "steps") == {"task_id": task, "agent_id": agent}
    shown = timeline["steps"]
    assert all(step["status"] == "completed" and step["completed_at"] for step in shown)
    assert [step["started_at"] for step in shown] == sorted(step["started_at"] for step in shown)
    messages = [(step["data"]["role"], step["data"]["content"]) for step in shown if step["type"] == "message"]
    assert messages[0] == ("user", prompt)
    assert messages[1][0] == "assistant"
    assert messages[1][1].startswith("Let me see.")
    assert messages[-3:] == [("assistant", "Which region?"), ("user", "Europe"), ("assistant", DONE)]
    (call,) = [step for step in shown if step["type"] == "tool_call"]
    assert call["data"]["name"] == "clock"
    assert set(call["data"]) == {"name", "args", "result"}
    streamed = {frame.data["step"]["id"] for frame in first + second if frame.event == "step.completed"}
    streamed |= {frame.data["message_id"] for frame in first + second if frame.event == "message.completed"}
    assert streamed | {"message:description"} == {step["id"] for step in shown}

    again = await http.post(f"{TASKS}/{task}/reply", json=said, headers={"Idempotency-Key": "k"})
    # the same message, but not said to answer that question: another message under the same key
    assert (again.status_code, again.json()["error"]["code"]) == (422, "invalid_input")
    repeat = await http.post(
        f"{TASKS}/{task}/reply", json=said, headers={"Idempotency-Key": "k", "Baton-Question": asked["id"]}
    )
    assert (repeat.status_code, repeat.json()) == (202, sent.json())
    assert repeat.headers["idempotent-replayed"] == "true"
    assert repeat.headers["baton-message-id"] == sent.headers["baton-message-id"]

    more = await http.post(f"{TASKS}/{task}/messages", json=said | {"message": {"content": "!finish Again."}})
    assert more.status_code == 202
    assert (await everything(http, f"{TASKS}/{task}/events"))[-1].data["output"] == "Again."
    assert (await status_is(http, task, "completed"))["input"] == "!finish Again."


async def test_any_door(api: RunningApi) -> None:
    """Made here and answered by Baton's own API, and the reverse."""
    http = api.http
    agent = await agent_of(http)
    body = {"agent_id": agent, "message": {"role": "user", "content": "!ask Which?\n!finish Well."}}
    created = await http.post(TASKS, json=body)
    task = created.json()["task_id"]
    await status_is(http, task, "waiting_for_user")
    execution = (await http.get(f"/baton/v1/executions/{created.headers['baton-execution-id']}")).json()
    (own,) = execution["tasks"]
    assert (own["number"], own["state"], own["questions"][0]["text"]) == (task, "waiting", "Which?")
    answered = await http.post(f"/baton/v1/tasks/{own['id']}/messages", json={"text": "This one"})
    assert answered.status_code == 202
    assert (await status_is(http, task, "completed"))["input"] == "This one"

    started = (await http.post("/baton/v1/executions", json={"prompt": "!ask Which?\n!finish Well."})).json()
    (theirs,) = started["tasks"]
    await status_is(http, theirs["number"], "waiting_for_user")
    reply = {"agent_id": agent, "message": {"role": "user", "content": "That one"}}
    assert (await http.post(f"{TASKS}/{theirs['number']}/reply", json=reply)).status_code == 202
    await status_is(http, theirs["number"], "completed")
    messages = (await http.get(f"/baton/v1/tasks/{theirs['id']}/messages")).json()["items"]
    assert [(m["text"], m["state"], m["origin"]) for m in messages] == [("That one", "processed", "chat_tasks")]
    assert (await http.get(f"/baton/v1/tasks/{theirs['id']}")).json()["result"] == "You said: That one\nWell."
