"""Does Asteroid's client see what its page says?"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from api.dialects.asteroid import asteroid_dialect
from api.dialects.asteroid.activities import TYPES, activities, user_uuid
from api.dialects.asteroid.translate import CONSENT, NO_INPUTS, REACHED, STATUS, description_of, states_of, status_of
from baton.domain import events
from baton.domain.agents import Agent
from baton.domain.conversation import ToolCall
from baton.domain.events import Body, Event, NewEvent, StepCompleted, TextDelta
from baton.domain.events.parts import AskedApproval, AskedQuestion, WaitingTask
from baton.domain.mailbox import Ending
from baton.domain.states import ExecutionState, TaskState
from baton.store import agents
from tests.dialects.requests import Json, kubiya_task, start_plan, start_task, task_ids
from tests.dialects.test_approvals import hold
from tests.support.api import RunningApi
from tests.support.events import BODIES, MESSAGE, TASK, event

V2 = "/agents/v2"
EXECUTIONS = f"{V2}/executions"
ADDED = "User message added."


async def single(api: RunningApi, prompt: str = "!say hello") -> tuple[str, str]:
    """A task: its execution's uuid, and its own."""
    execution = await start_task(api.http, prompt)
    return execution["id"], execution["tasks"][0]["id"]


async def plan_of(api: RunningApi, size: int = 2) -> tuple[str, list[str]]:
    """A plan of independent tasks, all running: its execution's uuid, and theirs."""
    execution = await start_plan(api.http, *(kubiya_task(n) for n in range(1, size + 1)))
    ids = await task_ids(api.http, execution)
    for task in ids.values():
        await api.set_task(task, state="running")
    async with api.pool.connection() as connection:
        await connection.execute("UPDATE executions SET state = 'running' WHERE id = $1", UUID(execution))
    return execution, [ids[n] for n in range(1, size + 1)]


async def set_state(api: RunningApi, execution: str, task: str, state: str, **columns: Any) -> None:
    """Put a single task and its execution into a state."""
    await api.set_task(task, state=state, **columns)
    async with api.pool.connection() as connection:
        await connection.execute(
            "UPDATE executions SET state = $2, completed_at = $3 WHERE id = $1",
            UUID(execution),
            state,
            datetime.now(UTC) if ExecutionState(state).is_over else None,
        )


def refused(answer: httpx.Response, status: int) -> str:
    """The message of an error, which must be of that status and of the published shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"code", "message"}
    assert body["code"] == status
    assert body["message"]
    return str(body["message"])


def fits(value: Any, schema: str) -> Any:
    """``value``, which must be as our document says."""
    document = asteroid_dialect().app.openapi()
    whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)  # pyright: ignore[reportUnknownMemberType]
    return value


async def send(api: RunningApi, execution: str, text: str = "hello", **headers: str) -> httpx.Response:
    """Send a message; ``headers`` with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.http.post(f"{EXECUTIONS}/{execution}/user-messages", json={"message": text}, headers=named)


def test_there_is_a_status_for_every_state() -> None:
    assert set(STATUS) == set(ExecutionState)
    assert {*STATUS.values(), CONSENT} == {
        "starting",
        "running",
        "paused",
        "awaiting_confirmation",
        "paused_by_agent",
        "completed",
        "cancelled",
        "failed",
    }
    for state in ExecutionState:
        waits = state is ExecutionState.WAITING
        assert status_of(state, asks=True) == STATUS[state]
        assert status_of(state, asks=False) == (CONSENT if waits else STATUS[state])
    assert set(REACHED) == {"running", "paused", "cancelled"}


def test_what_a_list_is_narrowed_to() -> None:
    waiting, running = ExecutionState.WAITING, ExecutionState.RUNNING
    assert states_of([]) == (None, None)
    assert states_of(["running"]) == ([running], True)
    assert states_of(["paused_by_agent"]) == ([waiting], True)
    assert states_of(["awaiting_confirmation"]) == ([waiting], False)
    assert states_of(["awaiting_confirmation", "running"]) == ([running, waiting], False)
    assert states_of(["paused_by_agent", "awaiting_confirmation"]) == ([waiting], None)
    assert states_of(["queued"]) == ([], True)


def test_inputs_become_a_description() -> None:
    assert description_of({"task": " !ask Which?\n!say Done\n"}) == " !ask Which?\n!say Done\n"
    assert description_of({}) == description_of({"task": " "}) == NO_INPUTS
    several = description_of({"goal": "!ask Which?\n  é", "count": 3, "deep": {"a": [None]}, "url": "http://x"})
    assert several == 'goal:\n!ask Which?\n  é\ncount: 3\ndeep: {"a":[null]}\nurl:\nhttp://x'
    assert description_of({"n": 3}) == "n: 3"


async def test_an_execution_is_started(api: RunningApi) -> None:
    agent = (await start_task(api.http))["agent"]
    for name in (agent["id"], str(agent["number"]), agent["name"]):
        answer = await api.http.post(
            f"{V2}/agents/{name}/execute",
            json={
                "dynamicData": {"first": "!say hello", "second": "old"},
                "inputs": {"second": "!ask Which?"},
                "metadata": {"trace": ["t"]},
                "tempFiles": [],
            },
        )
        assert answer.status_code == 202
        body = fits(answer.json(), "Started")
        assert body == {"executionId": answer.headers["baton-execution-id"], "status": "running"}
        execution = (await api.http.get(f"/baton/v1/executions/{body['executionId']}")).json()
        (task,) = execution["tasks"]
        assert task["description"] == "first:\n!say hello\nsecond:\n!ask Which?"
        assert (execution["metadata"], execution["kind"], execution["agent"]) == ({"trace": ["t"]}, "task", agent)
    empty = await api.http.post(f"{V2}/agents/{agent['id']}/execute", json={})
    assert empty.status_code == 202
    refused(await api.http.post(f"{V2}/agents/{uuid4()}/execute", json={}), 404)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("pending", "starting"),
        ("running", "running"),
        ("waiting", "paused_by_agent"),
        ("paused", "paused"),
        ("succeeded", "completed"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
    ],
)
async def test_every_status(api: RunningApi, state: str, status: str) -> None:
    execution, task = await single(api)
    question = [{"id": "q", "text": "?"}] if state == "waiting" else []
    error = "boom" if state == "failed" else None
    await set_state(api, execution, task, state, result="the result", error_code=error, open_questions=question)
    answer = await api.http.get(f"{EXECUTIONS}/{execution}")
    assert answer.status_code == 200
    assert (answer.headers["baton-execution-id"], answer.headers["etag"]) == (execution, '"2"')
    body = fits(answer.json(), "Execution")
    known = (await api.http.get(f"/baton/v1/executions/{execution}")).json()
    over = state in ("succeeded", "failed", "cancelled")
    expected: Json = {
        "id": execution,
        "agentId": known["agent"]["id"],
        "workflowId": known["agent"]["id"],
        "workflowVersionId": known["agent"]["id"],
        "status": status,
        "createdAt": known["created_at"],
        "startedAt": known["started_at"],
        "organizationId": str(await api.tenant_id()),
        "agentName": known["agent"]["name"],
        "workflowName": known["agent"]["name"],
        "humanLabels": [],
        "comments": [],
        "metadata": {},
        "hasBeenRerun": False,
    }
    if over:
        expected["terminalAt"] = known["completed_at"]
    if state in ("succeeded", "failed"):
        expected["executionResult"] = {
            "id": execution,
            "executionId": execution,
            "outcome": "success" if state == "succeeded" else "failure",
            "reasoning": "The agent has finished." if state == "succeeded" else "boom",
            "result": "the result",
            "createdAt": known["completed_at"],
        }
    assert body == expected
    listed = (await api.http.get(EXECUTIONS, params={"status": status})).json()
    assert listed == {"items": [expected], "page": 1, "pageSize": 20, "total": 1}
    others = [other for other in (*STATUS.values(), CONSENT, "queued") if other != status]
    assert (await api.http.get(EXECUTIONS, params={"status": others})).json()["total"] == 0


async def test_one_that_waits_for_consent(api: RunningApi) -> None:
    execution, task = await single(api)
    await hold(api, task, ToolCall("c1", "write", {"path": "/tmp/a"}))
    assert (await api.http.get(f"{EXECUTIONS}/{execution}")).json()["status"] == "awaiting_confirmation"
    asked, its_task = await single(api)
    await api.ask(its_task, "Which?")
    for status, found in (
        (["awaiting_confirmation"], [execution]),
        (["paused_by_agent"], [asked]),
        (["paused_by_agent", "awaiting_confirmation"], [asked, execution]),
        (["running"], []),
    ):
        page = (await api.http.get(EXECUTIONS, params={"status": status})).json()
        assert [item["id"] for item in page["items"]] == found
        assert page["total"] == len(found)
    (last,) = (await api.http.get(f"{EXECUTIONS}/{execution}/activities?order=desc&limit=1")).json()
    assert last["payload"] == {
        "activityType": "status_changed",
        "status": "awaiting_confirmation",
        "awaitingConfirmationPayload": {"reason": 'May write be called with {"path": "/tmp/a"}?'},
    }
    answer = await send(api, execution, "Not there")
    assert (answer.status_code, answer.text) == (201, ADDED)
    assert (await api.http.get(f"{EXECUTIONS}/{execution}")).json()["status"] == "running"


async def test_a_plan(api: RunningApi) -> None:
    execution, (one, two) = await plan_of(api)
    body = fits((await api.http.get(f"{EXECUTIONS}/{execution}")).json(), "Execution")
    assert body["status"] == "running"
    assert "executionResult" not in body
    await api.set_task(one, state="succeeded", result="one")
    await set_state(api, execution, two, "failed", error_code="boom")
    shown = fits((await api.http.get(f"{EXECUTIONS}/{execution}")).json(), "Execution")
    assert shown["status"] == "failed"
    assert (shown["executionResult"]["outcome"], shown["executionResult"]["reasoning"]) == ("failure", "boom")
    assert shown["executionResult"]["result"] == [
        {"task": 1, "title": "Task 1", "result": "one", "error": None},
        {"task": 2, "title": "Task 2", "result": None, "error": "boom"},
    ]
    (listed,) = (await api.http.get(EXECUTIONS)).json()["items"]
    assert listed == {name: value for name, value in shown.items() if name != "executionResult"}


async def test_pages(api: RunningApi) -> None:
    made = [(await single(api))[0] for _ in range(5)]
    seen: list[str] = []
    for page in (1, 2, 3, 4):
        answer = await api.http.get(EXECUTIONS, params={"page": page, "pageSize": 2})
        body = fits(answer.json(), "Executions")
        assert (body["page"], body["pageSize"], body["total"]) == (page, 2, 5)
        seen += [item["id"] for item in body["items"]]
    assert seen == made[::-1]
    agent = (await api.http.get(f"{EXECUTIONS}/{made[0]}")).json()["agentId"]
    assert (await api.http.get(EXECUTIONS, params={"agentId": agent})).json()["total"] == 5
    refused(await api.http.get(EXECUTIONS, params={"agentId": str(uuid4())}), 404)
    for wrong in ("page=0", "page=x", "pageSize=0", "pageSize=501", "page=1e9999", "status=done", "page=9" + "9" * 30):
        refused(await api.http.get(f"{EXECUTIONS}?{wrong}"), 400)


async def test_a_message(api: RunningApi) -> None:
    execution, task = await single(api)
    await api.ask(task, "Which?")
    answer = await send(api, execution, " This\n")
    assert (answer.status_code, answer.text) == (201, ADDED)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["baton-execution-id"] == execution
    assert answer.headers["etag"] == '"3"'
    stored = (await api.http.get(f"/baton/v1/messages/{answer.headers['baton-message-id']}")).json()
    assert (stored["text"], stored["answers"], stored["origin"]) == (" This\n", ["q1"], "asteroid")
    assert (await api.http.get(f"{EXECUTIONS}/{execution}")).json()["status"] == "running"


async def test_the_headers_of_a_send(api: RunningApi) -> None:
    execution, task = await single(api)
    first = await send(api, execution, Idempotency_Key="k")
    again = await send(api, execution, Idempotency_Key="k")
    assert (again.status_code, again.text, again.headers["idempotent-replayed"]) == (201, ADDED, "true")
    for name in ("baton-message-id", "baton-execution-id", "etag"):
        assert again.headers[name] == first.headers[name]
    refused(await send(api, execution, "else", Idempotency_Key="k"), 422)
    stale = await send(api, execution, If_Match='"1"')
    refused(stale, 412)
    assert stale.headers["etag"] == first.headers["etag"]
    refused(await send(api, execution, Baton_Question="q9"), 412)
    refused(await send(api, execution, Baton_Mode="later"), 400)
    assert "running" in refused(await send(api, execution, Baton_Mode="reject"), 409)
    await api.ask(task, "How many?", schema={"type": "integer"})
    assert 'is not of type "integer"' in refused(await send(api, execution, "many"), 422)
    assert (await send(api, execution, "3", Baton_Question="q1")).status_code == 201
    await api.set_task(task, state="cancelled")
    assert "cancelled" in refused(await send(api, execution), 409)


async def test_a_key_across_two_dialects(api: RunningApi) -> None:
    """The same message under the same key is one, whichever door it comes through."""
    execution, task = await single(api)
    key = {"Idempotency-Key": "k"}
    theirs = await api.http.post(f"/baton/v1/tasks/{task}/messages", json={"text": "hello"}, headers=key)
    ours = await send(api, execution, Idempotency_Key="k")
    assert ours.headers["baton-message-id"] == theirs.json()["id"]
    assert ours.headers["idempotent-replayed"] == "true"
    kubiya = await api.http.post(f"/api/v1/executions/{execution}/message", json={"message": "hello"}, headers=key)
    assert kubiya.headers["baton-message-id"] == theirs.json()["id"]
    assert len((await api.http.get(f"/baton/v1/tasks/{task}/messages")).json()["items"]) == 1


async def test_a_message_to_a_plan(api: RunningApi) -> None:
    """It is for the task that has waited longest; its key counts for all tasks."""
    execution, (one, two, three) = await plan_of(api, 3)
    assert "none of its tasks waits" in refused(await send(api, execution), 409)
    await api.ask(three, "Third?", "q3")
    await api.ask(one, "First?", "q1")

    async def told(task: str) -> list[tuple[str, list[str]]]:
        items = (await api.http.get(f"/baton/v1/tasks/{task}/messages")).json()["items"]
        return [(item["text"], item["answers"]) for item in items]

    first = await send(api, execution, "for the third", Idempotency_Key="k")
    assert await told(three) == [("for the third", ["q3"])]
    again = await send(api, execution, "for the third", Idempotency_Key="k")
    assert again.headers["baton-message-id"] == first.headers["baton-message-id"]
    assert again.headers["idempotent-replayed"] == "true"
    refused(await send(api, execution, "for the first", Idempotency_Key="k"), 422)
    assert (await send(api, execution, "for the first")).status_code == 201
    assert await told(one) == [("for the first", ["q1"])]
    for done, at in ((two, 2), (three, 3), (one, 1)):
        await api.set_task(done, state="succeeded", completed_at=datetime(2026, 1, at, tzinfo=UTC))
    assert (await send(api, execution, "go on")).status_code == 201
    assert (await told(three))[-1] == ("go on", [])
    assert await told(two) == []


async def test_two_messages_at_once_answer_two_tasks(api: RunningApi) -> None:
    for _ in range(5):
        execution, (one, two) = await plan_of(api)
        await api.ask(one, "First?")
        await api.ask(two, "Second?")
        answers = await asyncio.gather(*(send(api, execution, text) for text in "ab"))
        assert [answer.status_code for answer in answers] == [201, 201]
        for task in (one, two):
            (message,) = (await api.http.get(f"/baton/v1/tasks/{task}/messages")).json()["items"]
            assert message["answers"] == ["q1"]


@pytest.mark.parametrize(
    "body",
    [{}, {"message": None}, {"message": 7}, {"message": ""}, {"message": " \n"}, {"text": "x"}, {"message": ["x"]}],
)
async def test_messages_that_do_not_fit(api: RunningApi, body: Json) -> None:
    execution, task = await single(api)
    plan, _ = await plan_of(api, 1)
    for place in (execution, plan):
        refused(await api.http.post(f"{EXECUTIONS}/{place}/user-messages", json=body), 400)
    assert (await api.http.get(f"/baton/v1/tasks/{task}/messages")).json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": "x"},
        {"inputs": ["x"]},
        {"dynamicData": 1},
        {"metadata": "x"},
        {"metadata": {"a": "\0"}},
        {"inputs": {"a": "\0"}},
    ],
)
async def test_executions_that_do_not_fit(api: RunningApi, body: Json) -> None:
    agent = (await start_task(api.http))["agent"]["id"]
    refused(await api.http.post(f"{V2}/agents/{agent}/execute", json=body), 400)
    assert (await api.http.get(EXECUTIONS)).json()["total"] == 1


async def test_errors_are_in_its_own_shape(api: RunningApi) -> None:
    execution, _ = await single(api)
    url = f"{EXECUTIONS}/{execution}/user-messages"
    http = api.http
    for path in ("", "/", "/nothing", "/executions/", f"/executions/{execution}/nothing", "/profiles"):
        refused(await http.get(V2 + path), 404)
    refused(await http.get(url), 405)
    refused(await http.delete(EXECUTIONS), 405)
    refused(await http.post(url, content=b"[", headers={"Content-Type": "application/json"}), 400)
    refused(await http.post(url, content=b"[]", headers={"Content-Type": "application/json"}), 400)
    refused(await http.post(url, content=b"x", headers={"Content-Type": "text/plain"}), 415)
    too_large = b'{"message": "' + b"x" * api.settings.max_body_bytes + b'"}'
    refused(await http.post(url, content=too_large, headers={"Content-Type": "application/json"}), 413)
    stranger = await api.client(None).post(url, json={"message": "x"})
    refused(stranger, 401)
    assert "www-authenticate" in stranger.headers
    for unknown in (str(uuid4()), "7", "x", execution.upper() + "x"):
        refused(await http.get(f"{EXECUTIONS}/{unknown}"), 404)
        refused(await http.get(f"{EXECUTIONS}/{unknown}/activities"), 404)
        refused(await send(api, unknown), 404)
        refused(await http.post(f"{EXECUTIONS}/{unknown}/pause"), 404)
        refused(await http.post(f"{EXECUTIONS}/{unknown}/status", json={"status": "paused"}), 404)


async def test_pausing_resuming_cancelling(api: RunningApi) -> None:
    execution, _ = await single(api)

    async def post(action: str) -> httpx.Response:
        return await api.http.post(f"{EXECUTIONS}/{execution}/{action}")

    async def status() -> str:
        return str((await api.http.get(f"{EXECUTIONS}/{execution}")).json()["status"])

    assert "not paused" in refused(await post("resume"), 409)
    actions = ("pause", "pause", "resume", "resume", "cancel")
    for action, becomes in zip(actions, ("paused", "paused", "running", "running", "cancelled"), strict=True):
        answer = await post(action)
        assert answer.status_code == 200
        assert fits(answer.json(), "StatusChange") == {"executionId": execution, "status": becomes}
        assert answer.headers["baton-execution-id"] == execution
        assert await status() == becomes
    refused(await post("pause"), 409)
    assert (await post("cancel")).status_code == 200
    statuses = [
        activity["payload"]
        for activity in (await api.http.get(f"{EXECUTIONS}/{execution}/activities")).json()
        if activity["payload"]["activityType"] == "status_changed"
    ]
    assert statuses == [
        {"activityType": "status_changed", "status": "running"},
        {"activityType": "status_changed", "status": "paused", "pausedPayload": {"reason": "Somebody has paused it."}},
        {"activityType": "status_changed", "status": "running"},
        {
            "activityType": "status_changed",
            "status": "cancelled",
            "cancelledPayload": {"reason": "user_requested"},
        },
    ]


async def test_the_older_way_to_change_a_status(api: RunningApi) -> None:
    execution, _ = await single(api)
    url = f"{EXECUTIONS}/{execution}/status"
    for status in ("paused", "running", "cancelled"):
        answer = await api.http.post(url, json={"status": status})
        assert (answer.status_code, answer.text) == (200, "Execution status updated.")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await api.http.get(f"{EXECUTIONS}/{execution}")).json()["status"] == status
    refused(await api.http.post(url, json={"status": "running"}), 409)
    for wrong in ({}, {"status": "completed"}, {"status": 7}):
        refused(await api.http.post(url, json=wrong), 400)


async def test_the_status_of_a_plan_is_changed(api: RunningApi) -> None:
    execution, (one, two) = await plan_of(api)
    await api.set_task(one, state="succeeded")
    for action, becomes in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = await api.http.post(f"{EXECUTIONS}/{execution}/{action}")
        assert (answer.status_code, answer.json()["status"]) == (200, becomes)
        assert (await api.http.get(f"/baton/v1/tasks/{two}")).json()["state"] == becomes
    assert (await api.http.get(f"/baton/v1/tasks/{one}")).json()["state"] == "succeeded"
    for action in ("pause", "resume"):
        assert "cancelled" in refused(await api.http.post(f"{EXECUTIONS}/{execution}/{action}"), 409)
    over, tasks = await plan_of(api)
    for task in tasks:
        await set_state(api, over, task, "succeeded")
    assert "succeeded" in refused(await api.http.post(f"{EXECUTIONS}/{over}/cancel"), 409)


@pytest.fixture
async def second(api: RunningApi) -> AsyncGenerator[Agent]:
    """Another agent of the tenant."""
    async with api.pool.connection() as connection:
        yield await agents.insert(connection, Agent(await api.tenant_id(), uuid4(), 0, f"second-{uuid4()}", "scripted"))


async def test_a_key_for_another_agent(api: RunningApi, second: Agent) -> None:
    execution, task = await single(api)
    plan, _ = await plan_of(api)
    own = (await api.http.get(f"{EXECUTIONS}/{execution}")).json()["agentId"]
    foreign = api.client(await api.new_key(agent_number=second.number))
    for place in (execution, plan):
        at = f"{EXECUTIONS}/{place}"
        refused(await foreign.get(at), 404)
        refused(await foreign.get(f"{at}/activities"), 404)
        refused(await foreign.post(f"{at}/user-messages", json={"message": "x"}), 404)
        for action in ("pause", "resume", "cancel"):
            refused(await foreign.post(f"{at}/{action}"), 404)
    refused(await foreign.post(f"{V2}/agents/{own}/execute", json={}), 404)
    refused(await foreign.get(EXECUTIONS, params={"agentId": own}), 404)
    assert (await foreign.get(EXECUTIONS)).json()["total"] == 0
    started = await foreign.post(f"{V2}/agents/{second.id}/execute", json={"inputs": {"a": "!say x"}})
    assert [item["id"] for item in (await foreign.get(EXECUTIONS)).json()["items"]] == [started.json()["executionId"]]
    assert (await api.http.get(EXECUTIONS)).json()["total"] == 3
    assert (await api.http.get(f"/baton/v1/tasks/{task}")).json()["version"] == 1


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.type)
@pytest.mark.parametrize("state", [None, *ExecutionState])
def test_no_event_makes_an_unknown_activity(body: Body, state: ExecutionState | None) -> None:
    execution = uuid4()
    given = event(body, execution=state)
    made: list[Json] = orjson.loads(orjson.dumps(activities(execution, given)))
    assert made == orjson.loads(orjson.dumps(activities(execution, given)))
    assert len({activity["id"] for activity in made}) == len(made)
    for activity in made:
        fits(activity, "Activity")
        assert activity["executionId"] == str(execution)
        assert activity["timestamp"] == "2026-01-02T03:04:05+00:00"
    changed = [one["payload"] for one in made if one["payload"]["activityType"] == "status_changed"]
    assert len(changed) == (state is not None)
    if state is None:
        assert bool(made) == (body.type in TYPES and not isinstance(body, events.TurnEnded))


def payloads(given: Event) -> list[Any]:
    """What an event makes, without what all activities have."""
    made: list[Json] = orjson.loads(orjson.dumps(activities(uuid4(), given)))
    return [activity["payload"] for activity in made]


def test_what_is_said_and_done() -> None:
    user = "b1946ac9-2492-4d23-8b6d-1c8f6a1d1a11"
    sent = events.MessageAccepted(message_id=MESSAGE, seq=1, text="hi", origin="asteroid", sender=user)
    assert payloads(event(sent)) == [{"activityType": "user_message_received", "message": "hi", "userUUID": user}]
    assert UUID(user_uuid("a key")) == UUID(user_uuid("a key")) != UUID(user_uuid("another"))
    assert payloads(event(events.StepStarted(turn=2, step=1))) == [{"activityType": "step_started", "stepNumber": 2}]
    assert payloads(event(StepCompleted(turn=1, step=0, text="Done."))) == [
        {"activityType": "generic", "message": "Done."},
        {"activityType": "step_completed", "stepNumber": 1},
    ]
    calls = (ToolCall("c", "look", {}),)
    assert payloads(event(StepCompleted(turn=1, step=0, text="Let me see.", calls=calls))) == [
        {"activityType": "reasoning", "reasoning": "Let me see."},
        {"activityType": "step_completed", "stepNumber": 1},
    ]
    assert payloads(event(events.StepFailed(turn=1, step=0, attempt=1, code="boom", retrying=True))) == []
    answered = events.TurnEnded(turn=1, outcome=Ending.ANSWERED, result="Well.")
    assert payloads(event(answered, execution=ExecutionState.SUCCEEDED)) == [
        {
            "activityType": "status_changed",
            "status": "completed",
            "completedPayload": {"outcome": "success", "reasoning": "The agent has finished.", "result": "Well."},
        }
    ]
    assert payloads(event(replace(answered, error="boom"), execution=ExecutionState.FAILED)) == [
        {"activityType": "status_changed", "status": "failed", "failedPayload": {"reason": "boom"}}
    ]


def test_what_is_waited_for() -> None:
    asked = AskedQuestion(question_id="q1", text="Which?", choices=("a", "b"))
    mine = WaitingTask(task_id=TASK, position=4, question="Which?")
    other = WaitingTask(task_id=uuid4(), position=5, question="And?")
    held = WaitingTask(task_id=uuid4(), position=6, question="May write be called with {}?", consent=True)
    options = [{"label": "a", "description": "a"}, {"label": "b", "description": "b"}]
    ended = events.TurnEnded(turn=1, outcome=Ending.ANSWERED, questions=(asked,))
    assert payloads(event(ended, execution=ExecutionState.WAITING, waiting=(mine, other, held))) == [
        {
            "activityType": "status_changed",
            "status": "paused_by_agent",
            "pausedPayload": {
                "reason": "Which?\nAnd?\nMay write be called with {}?",
                "question": {
                    "questions": [
                        {"question": "Which?", "header": "Question", "options": options},
                        {"question": "And?", "header": "Question", "options": []},
                    ]
                },
            },
        }
    ]
    # the last task at work was cancelled: what is waited for is another's
    cancelled = events.TaskCancelled(by="me", reason="")
    (told,) = payloads(event(cancelled, execution=ExecutionState.WAITING, waiting=(other,)))
    assert told["pausedPayload"]["question"]["questions"] == [{"question": "And?", "header": "Question", "options": []}]
    (told,) = payloads(event(cancelled, execution=ExecutionState.WAITING, waiting=(held,)))
    assert (told["status"], told["awaitingConfirmationPayload"]) == (CONSENT, {"reason": held.question})
    # others of the plan are at work: the status stays, and still it is told what is asked
    call = AskedApproval(turn=1, step=0, call_id="c", approval_id="a", tool="write", arguments={}, digest="d")
    assert payloads(event(replace(ended, approvals=(call,)), state=TaskState.WAITING)) == [
        {"activityType": "generic", "message": "Which?"},
        {"activityType": "generic", "message": "May write be called with {}?"},
    ]


async def test_a_list_of_activities(api: RunningApi) -> None:
    execution, task = await single(api)
    for n in range(4):
        assert (await send(api, execution, f"message {n}")).status_code == 201
    await api.append(
        execution,
        *(NewEvent(TextDelta(turn=1, step=0, attempt=1, text="x"), UUID(task)),) * 20,
        NewEvent(StepCompleted(turn=1, step=0, text="said"), UUID(task)),
    )
    url = f"{EXECUTIONS}/{execution}/activities"
    answer = await api.http.get(url)
    assert answer.headers["baton-execution-id"] == execution
    everything = answer.json()
    assert [one["payload"]["activityType"] for one in everything] == [
        "status_changed",
        *["user_message_received"] * 4,
        "generic",
        "step_completed",
    ]
    assert [one["payload"].get("message") for one in everything][1:6] == [*(f"message {n}" for n in range(4)), "said"]
    assert [one["timestamp"] for one in everything] == sorted(one["timestamp"] for one in everything)
    assert len({one["id"] for one in everything}) == len(everything)
    for limit in range(1, 9):
        first = (await api.http.get(url, params={"limit": limit, "order": "asc"})).json()
        last = (await api.http.get(url, params={"limit": limit, "order": "desc"})).json()
        assert first == everything[:limit]
        assert last == everything[::-1][:limit]
    for wrong in ("limit=0", "limit=1001", "limit=x", "order=up"):
        refused(await api.http.get(f"{url}?{wrong}"), 400)


@pytest.mark.parametrize(
    "strange", ["%00", "%ED%A0%80", "%FF", "9" * 30, "..%2F..", "%0A", "é", "x" * 5000, "1e3", "-1"]
)
async def test_strange_paths_and_queries(api: RunningApi, strange: str) -> None:
    await single(api)
    http = api.http
    refused(await http.post(f"{V2}/agents/{strange}/execute", json={}), 404)
    for path in (strange, f"{strange}/activities"):
        refused(await http.get(f"{EXECUTIONS}/{path}"), 404)
    for path in ("user-messages", "cancel", "status"):
        body = {"message": "x", "status": "paused"}
        refused(await http.post(f"{EXECUTIONS}/{strange}/{path}", json=body), 404)
    for name in ("page", "pageSize", "status"):
        refused(await http.get(f"{EXECUTIONS}?{name}={strange}"), 400)
    refused(await http.get(f"{EXECUTIONS}?agentId={strange}"), 404)
    refused(await http.get(f"{EXECUTIONS}?unknown={strange}&{strange}"), 400)


def nested(levels: int) -> Any:
    """Lists within lists."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("levels", [90, 253, 300, 900])
async def test_deep_inputs(api: RunningApi, levels: int) -> None:
    """They are taken whole, or refused: no half of them, and nothing breaks."""
    agent = (await start_task(api.http))["agent"]["id"]
    for body in ({"inputs": {"a": nested(levels)}}, {"metadata": {"a": nested(levels)}}):
        answer = await api.http.post(f"{V2}/agents/{agent}/execute", json=body)
        if answer.status_code == 202:
            shown = await api.http.get(f"{EXECUTIONS}/{answer.json()['executionId']}")
            assert shown.status_code == 200
            assert shown.json()["metadata"] == body.get("metadata", {})
        else:
            refused(answer, 400)
