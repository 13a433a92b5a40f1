"""Does the chat task API's client see what its page says?"""

import asyncio
import os
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from jsonschema import Draft202012Validator

from api.dialects.chat_tasks import chat_tasks_dialect, translate
from api.dialects.chat_tasks.stream import task_encoder
from api.dialects.chat_tasks.translate import STATUS, STEP_STATUS
from baton.domain.agents import Agent, Principal, Scope
from baton.domain.approvals import Approval
from baton.domain.events import (
    NewEvent,
    QuestionAsked,
    StepCompleted,
    StepStarted,
    StepVoided,
    TaskResumed,
    ToolCompleted,
    ToolStarted,
    TurnStarted,
)
from baton.domain.events.parts import AskedQuestion
from baton.domain.ids import TaskById
from baton.domain.states import ExecutionState, StepState, TaskState
from baton.service import tasks
from baton.store import agents
from tests.dialects.requests import Json, start_task
from tests.support.api import RunningApi, delta, ended, running_api
from tests.support.events import BODIES, event
from tests.support.frames import Seen, everything, frames

TASKS = "/v1/chat/tasks"
#: How often two messages at once are sent to an idle task.
RACES = int(os.environ.get("BATON_TEST_RACES", "100"))
NOWHERE_NEAR = 2**62


def said(agent: int, content: str = "hello", **more: Any) -> Json:
    """The body of what a user says."""
    return {"agent_id": agent, "message": {"role": "user", "content": content}} | more


async def single(api: RunningApi, prompt: str = "!say hello") -> tuple[int, int, str, str]:
    """A task: its integer, its agent's, its uuid, its execution's."""
    execution = await start_task(api.http, prompt)
    (task,) = execution["tasks"]
    return task["number"], task["agent"]["number"], task["id"], execution["id"]


async def second_agent(api: RunningApi) -> Agent:
    """Another agent of the tenant."""
    async with api.pool.connection() as connection:
        new = Agent(await api.tenant_id(), uuid4(), 0, f"second-{uuid4()}", "scripted")
        return await agents.insert(connection, new)


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """The message of an error, which must be of that status and code, and of the published shape."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].keys() == {"code", "message"}
    assert answer.json()["error"]["message"]
    return str(answer.json()["error"]["message"])


def fits(answer: httpx.Response, schema: str) -> Json:
    """A body, which must be as our document says."""
    document = chat_tasks_dialect().app.openapi()
    Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": document["components"]}).validate(  # pyright: ignore[reportUnknownMemberType]
        answer.json()
    )
    return answer.json()


def test_statuses_are_the_published_ones_for_every_state() -> None:
    assert set(STATUS) == set(TaskState)
    assert set(STATUS.values()) == {"pending", "running", "completed", "failed", "paused", "waiting_for_user"}
    assert set(STEP_STATUS) == set(StepState)
    assert set(STEP_STATUS.values()) == {"running", "completed", "failed"}


async def test_a_task_is_made(api: RunningApi) -> None:
    _, agent, _, _ = await single(api)
    answer = await api.http.post(TASKS, json=said(agent, "!say hi", metadata={"trace_id": "t", "n": [1]}))
    body = fits(answer, "CreateTaskResponse")
    assert answer.status_code == 202
    assert (body["agent_id"], body["status"]) == (agent, "running")
    execution = (await api.http.get(f"/baton/v1/executions/{answer.headers['baton-execution-id']}")).json()
    assert execution["metadata"] == {"trace_id": "t", "n": [1]}
    assert (execution["tasks"][0]["number"], execution["tasks"][0]["description"]) == (body["task_id"], "!say hi")
    shown = await api.http.get(f"{TASKS}/{body['task_id']}")
    assert fits(shown, "TaskInfoResponse") == body | {
        "input": "!say hi",
        "output": None,
        "error": None,
        "completed_at": None,
    }


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("pending", "pending"),
        ("running", "running"),
        ("waiting", "waiting_for_user"),
        ("paused", "paused"),
        ("succeeded", "completed"),
        ("failed", "failed"),
        ("cancelled", "failed"),
    ],
)
async def test_every_status(api: RunningApi, state: str, status: str) -> None:
    task, _, task_id, execution = await single(api)
    await api.set_task(task_id, state=state, result="what came of it", error_code="boom" if state == "failed" else None)
    answer = await api.http.get(f"{TASKS}/{task}")
    body = fits(answer, "TaskInfoResponse")
    assert answer.headers["baton-execution-id"] == execution
    assert answer.headers["etag"] == '"2"'
    assert body["status"] == status
    assert body["output"] == ("what came of it" if state == "succeeded" else None)
    assert body["error"] == {"failed": "boom", "cancelled": "cancelled"}.get(state)
    assert ("pending_interaction" in body) == (state == "waiting")


async def test_what_a_task_waits_for(api: RunningApi) -> None:
    task, agent, task_id, _ = await single(api)
    await api.ask(task_id, "How many?", schema={"type": "integer"})
    body = fits(await api.http.get(f"{TASKS}/{task}"), "TaskInfoResponse")
    assert body["pending_interaction"] == {
        "question": "How many?",
        "interactions": [
            {"type": "text", "id": "q1", "question": "How many?", "choices": [], "schema": {"type": "integer"}}
        ],
    }
    for path in ("messages", "reply"):
        answer = await api.http.post(f"{TASKS}/{task}/{path}", json=said(agent, "many"))
        assert 'is not of type "integer"' in refused(answer, 422, "invalid_input")
    assert (await api.http.post(f"{TASKS}/{task}/reply", json=said(agent, "3"))).status_code == 202
    assert "pending_interaction" not in (await api.http.get(f"{TASKS}/{task}")).json()


async def test_what_a_task_waits_for_that_asks_for_consent(api: RunningApi) -> None:
    task, _, task_id, _ = await single(api)
    who = Principal(await api.tenant_id(), api.tenant, "s", "k", frozenset())
    seen = await tasks.get_task(api.app.state.baton, who, TaskById(UUID(task_id)))
    held = Approval("a1", "c", 1, 0, "clock", {"zone": "UTC"}, "digest", "2026-01-01T00:00:00+00:00")
    shown = translate.task_info(replace(seen, state=TaskState.WAITING, approvals=(held,)), None)
    text = 'May clock be called with {"zone": "UTC"}?'
    assert (shown["task_id"], shown["status"]) == (task, "waiting_for_user")
    assert shown["pending_interaction"] == {
        "question": text,
        "interactions": [
            {"type": "approval", "id": "a1", "question": text, "tool": "clock", "arguments": {"zone": "UTC"}}
        ],
    }


@pytest.mark.parametrize("path", ["messages", "reply"])
async def test_a_message_to_a_waiting_task(api: RunningApi, path: str) -> None:
    task, agent, task_id, execution = await single(api)
    await api.ask(task_id, "Which?")
    answer = await api.http.post(f"{TASKS}/{task}/{path}", json=said(agent, " This\n", metadata={"trace_id": "t"}))
    body = fits(answer, "AppendMessageResponse")
    stored = (await api.http.get(f"/baton/v1/messages/{answer.headers['baton-message-id']}")).json()
    assert answer.status_code == 202
    accepted_at = stored["accepted_at"]
    assert body == {"task_id": task, "agent_id": agent, "status": "running", "accepted_at": accepted_at}
    assert answer.headers["baton-execution-id"] == execution
    assert answer.headers["etag"] == '"3"'
    assert (stored["text"], stored["answers"], stored["origin"]) == (" This\n", ["q1"], "chat_tasks")
    async with api.pool.connection() as connection:
        kept = await connection.fetchval("SELECT metadata FROM messages WHERE id = $1", UUID(stored["id"]))
    assert kept == {"trace_id": "t"}
    shown = (await api.http.get(f"{TASKS}/{task}")).json()
    assert (shown["status"], shown["input"]) == ("running", " This\n")


@pytest.mark.parametrize("state", TaskState)
async def test_who_takes_a_message_and_who_a_reply(api: RunningApi, state: TaskState) -> None:
    """One at work is busy, one that does not wait takes no reply; nothing is stored then."""
    task, agent, task_id, _ = await single(api)
    idle = {TaskState.WAITING, TaskState.PAUSED, TaskState.SUCCEEDED, TaskState.FAILED}

    async def put() -> None:
        await api.set_task(task_id, state=state)
        if state is TaskState.WAITING:
            await api.ask(task_id, "Which?")

    await put()
    answer = await api.http.post(f"{TASKS}/{task}/messages", json=said(agent))
    if state in idle:
        assert answer.status_code == 202
    else:
        busy = state is not TaskState.CANCELLED
        assert state in refused(answer, 409, "task_busy" if busy else "task_closed")
    await put()
    before = (await api.http.get(f"/baton/v1/tasks/{task_id}")).json()
    answer = await api.http.post(f"{TASKS}/{task}/reply", json=said(agent))
    if state is TaskState.WAITING:
        assert answer.status_code == 202
    else:
        # Clients retry the first, and give up at the second.
        assert state in refused(answer, 409, "task_busy" if state is TaskState.RUNNING else "no_pending_interaction")
        assert (await api.http.get(f"/baton/v1/tasks/{task_id}")).json() == before


async def test_the_headers_of_a_send(api: RunningApi) -> None:
    task, agent, task_id, _ = await single(api)
    url, body = f"{TASKS}/{task}/messages", said(agent)
    queued = await api.http.post(url, json=body, headers={"Baton-Mode": "queue", "Idempotency-Key": "k"})
    assert (queued.status_code, queued.json()["status"]) == (202, "running")
    again = await api.http.post(url, json=body, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (202, queued.json())
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("baton-message-id", "baton-execution-id", "etag"):
        assert again.headers[name] == queued.headers[name]
    refused(await api.http.post(url, json=said(agent, "else"), headers={"Idempotency-Key": "k"}), 422, "invalid_input")
    stale = await api.http.post(url, json=body, headers={"If-Match": '"1"', "Baton-Mode": "queue"})
    refused(stale, 412, "outdated")
    assert stale.headers["etag"] == queued.headers["etag"]
    refused(await api.http.post(url, json=body, headers={"Baton-Question": "q9"}), 412, "outdated")
    refused(await api.http.post(url, json=body, headers={"Baton-Mode": "later"}), 422, "invalid_input")
    await api.ask(task_id, "Which?")
    answered = await api.http.post(f"{TASKS}/{task}/reply", json=body, headers={"Baton-Question": "q1"})
    assert answered.status_code == 202


async def test_a_reply_twice_under_its_key_is_told_the_same(api: RunningApi) -> None:
    """Also when the task has gone on, and when it waits again."""
    task, agent, task_id, _ = await single(api)
    await api.ask(task_id, "Which?")
    url, key = f"{TASKS}/{task}/reply", {"Idempotency-Key": "k"}
    first = await api.http.post(url, json=said(agent), headers=key)
    assert first.status_code == 202
    for wait in (False, True):
        if wait:
            await api.ask(task_id, "And which?", "q2")
        again = await api.http.post(url, json=said(agent), headers=key)
        assert (again.status_code, again.json()) == (202, first.json())
        assert again.headers["idempotent-replayed"] == "true"
    assert (await api.http.get(f"{TASKS}/{task}")).json()["status"] == "waiting_for_user"


async def test_of_two_messages_at_once_one_is_taken(api: RunningApi) -> None:
    """Again and again: an idle task takes one, is busy for the other, and has stored one."""
    task, agent, task_id, _ = await single(api)
    http, url = api.http, f"{TASKS}/{task}/messages"
    idle = ("waiting", "paused", "succeeded", "failed")
    seen: Counter[tuple[int, ...]] = Counter()
    for n in range(RACES):
        await api.set_task(task_id, state=idle[n % len(idle)])
        answers = await asyncio.gather(*(http.post(url, json=said(agent, f"{n} {who}")) for who in "ab"))
        taken, busy = sorted(answers, key=lambda answer: answer.status_code)
        seen[taken.status_code, busy.status_code] += 1
        assert taken.json()["status"] == "running"
        refused(busy, 409, "task_busy")
    assert seen == {(202, 409): RACES}
    async with api.pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM messages WHERE task_id = $1", UUID(task_id)) == RACES


async def test_null_metadata_is_none(api: RunningApi) -> None:
    task, agent, task_id, _ = await single(api)
    made = await api.http.post(TASKS, json=said(agent) | {"metadata": None})
    assert made.status_code == 202, made.text
    for path in ("messages", "reply"):
        await api.ask(task_id, "Which?")
        answer = await api.http.post(f"{TASKS}/{task}/{path}", json=said(agent) | {"metadata": None})
        assert answer.status_code == 202, answer.text


async def test_of_two_replies_at_once_one_is_taken(api: RunningApi) -> None:
    task, agent, task_id, _ = await single(api)
    http, url = api.http, f"{TASKS}/{task}/reply"
    for n in range(max(RACES // 5, 1)):
        await api.ask(task_id, "Which?")
        answers = await asyncio.gather(*(http.post(url, json=said(agent, f"{n} {who}")) for who in "ab"))
        taken, late = sorted(answers, key=lambda answer: answer.status_code)
        assert taken.status_code == 202
        refused(late, 409, "task_busy")


async def test_the_agent_must_be_the_tasks_and_the_keys(api: RunningApi) -> None:
    task, agent, task_id, _ = await single(api)
    other = await second_agent(api)
    await api.ask(task_id, "Which?")
    bound = api.client(await api.new_key(agent_number=agent))
    foreign = api.client(await api.new_key(agent_number=other.number))
    for path in ("messages", "reply"):
        url = f"{TASKS}/{task}/{path}"
        for client, named in ((api.http, other.number), (api.http, NOWHERE_NEAR), (bound, other.number)):
            refused(await client.post(url, json=said(named)), 404, "agent_not_found")
        nowhere = f"{TASKS}/{NOWHERE_NEAR}/{path}"
        for named, code in ((agent, "agent_not_found"), (other.number, "task_not_found")):
            for one in (url, nowhere):  # it is told of the task what it is told of one that nobody has
                refused(await foreign.post(one, json=said(named)), 404, code)
    for client, named in ((api.http, NOWHERE_NEAR), (bound, other.number), (foreign, agent)):
        refused(await client.post(TASKS, json=said(named)), 404, "agent_not_found")
    for path in ("", "/steps", "/events"):
        refused(await foreign.get(f"{TASKS}/{task}{path}"), 404, "task_not_found")
    assert (await bound.get(f"{TASKS}/{task}")).json()["status"] == "waiting_for_user"
    assert (await bound.post(f"{TASKS}/{task}/reply", json=said(agent))).status_code == 202
    assert (await foreign.post(TASKS, json=said(other.number))).status_code == 202


async def test_another_tenants_tasks_are_not_there(api: RunningApi) -> None:
    task, agent, task_id, _ = await single(api)
    await api.ask(task_id, "Which?")
    theirs = api.client(api.other_key)
    started = await start_task(theirs)
    own = started["agent"]["number"]
    for number in (task, NOWHERE_NEAR, 2**63, -1, 10**30):
        for path in ("", "/steps", "/events"):
            refused(await theirs.get(f"{TASKS}/{number}{path}"), 404, "task_not_found")
        for path in ("messages", "reply"):
            for named in (agent, own):
                refused(await theirs.post(f"{TASKS}/{number}/{path}", json=said(named)), 404, "task_not_found")
    refused(await theirs.post(TASKS, json=said(agent)), 404, "agent_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"agent_id": 1},
        {"message": {"role": "user", "content": "x"}},
        {"agent_id": "1", "message": {"role": "user", "content": "x"}},
        {"agent_id": 1.5, "message": {"role": "user", "content": "x"}},
        {"agent_id": True, "message": {"role": "user", "content": "x"}},
        {"agent_id": None, "message": {"role": "user", "content": "x"}},
        {"agent_id": 1, "message": "x"},
        {"agent_id": 1, "message": {"role": "user"}},
        {"agent_id": 1, "message": {"role": "system", "content": "x"}},
        {"agent_id": 1, "message": {"role": "user", "content": ""}},
        {"agent_id": 1, "message": {"role": "user", "content": 7}},
        {"agent_id": 1, "message": {"role": "user", "content": "\0"}},
        {"agent_id": 1, "message": {"role": "user", "content": " \n"}},
        {"agent_id": 1, "message": {"role": "user", "content": "x"}, "metadata": []},
        {"agent_id": 1, "message": {"role": "user", "content": "x"}, "metadata": {"a": "\0"}},
    ],
)
async def test_bodies_that_do_not_fit(api: RunningApi, body: Json) -> None:
    task, agent, task_id, _ = await single(api)
    await api.ask(task_id, "Which?")
    fitting = body | {"agent_id": agent} if body.get("agent_id") == 1 and body["agent_id"] is not True else body
    for url in (TASKS, f"{TASKS}/{task}/messages", f"{TASKS}/{task}/reply"):
        refused(await api.http.post(url, json=fitting), 422, "invalid_input")
    assert (await api.http.get(f"{TASKS}/{task}")).json()["status"] == "waiting_for_user"


async def test_errors_have_the_dialects_shape_everywhere(api: RunningApi) -> None:
    task, agent, _, _ = await single(api)
    url = f"{TASKS}/{task}/messages"
    for key in (None, "baton_nobody"):
        answer = await api.client(key).post(url, content=b"{")
        refused(answer, 401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
    refused(await api.client(await api.new_key(Scope.READ)).post(url, json=said(agent)), 403, "forbidden")
    refused(await api.http.get(f"{TASKS}/{task}/nothing"), 404, "not_found")
    refused(await api.http.get(f"{TASKS}/"), 404, "not_found")
    answer = await api.http.delete(f"{TASKS}/{task}")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]
    for content in (b"", b"{", b"[]", b"null", b"\xff", b'{"agent_id": 1' + b"0" * 30 + b"}", b"[" * 10_000):
        sent = await api.http.post(url, content=content, headers={"Content-Type": "application/json"})
        refused(sent, 422, "invalid_input")
    large = b'{"x": "' + b"x" * api.settings.max_body_bytes + b'"}'
    refused(await api.http.post(url, content=large), 413, "too_large")
    refused(
        await api.http.post(url, content=b"x", headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type"
    )
    for number in ("x", "1.5", "%00"):
        refused(await api.http.post(f"{TASKS}/{number}/messages", json=said(agent)), 422, "invalid_input")
    for cursor in ("x", "1.x", "99999"):
        answer = await api.http.get(f"{TASKS}/{task}/events", headers={"Last-Event-ID": cursor})
        refused(answer, 422, "invalid_input")


async def test_while_the_database_is_away(database_url: str) -> None:
    async with running_api(database_url, pool_timeout_seconds=0.5) as lone:
        task, agent, _, _ = await single(lone)
        http = lone.http
        assert (await http.get(f"{TASKS}/{task}")).status_code == 200
        await lone.app.state.baton.pool.close()
        answer = await http.post(f"{TASKS}/{task}/messages", json=said(agent))
        refused(answer, 503, "temporarily_unavailable")
        assert answer.headers["retry-after"]


async def asked(api: RunningApi) -> tuple[int, int, str, str]:
    """A task that has worked a little, and waits."""
    task, agent, task_id, execution = await single(api)
    own = UUID(task_id)
    question = AskedQuestion(question_id="q1", text="Which?")
    await api.append(
        execution,
        NewEvent(TurnStarted(turn=1), own),
        NewEvent(StepStarted(turn=1, step=0), own),
        delta("Hel", own),
        NewEvent(StepVoided(turn=1, step=0, attempt=1), own),
        delta("Hallo", own, attempt=2),
        NewEvent(StepCompleted(turn=1, step=0, text="Hallo"), own),
        NewEvent(ToolStarted(turn=1, step=0, call_id="c", name="clock", arguments={"a": 1}), own),
        NewEvent(ToolCompleted(turn=1, step=0, call_id="c", name="clock", content="noon"), own),
        NewEvent(QuestionAsked(question_id="q1", text="Which?"), own),
        ended(own, TaskState.WAITING, questions=(question,)),
        positions={own: 1},
        state=ExecutionState.WAITING,
    )
    await api.ask(task_id, "Which?")
    return task, agent, task_id, execution


ASKED = [
    "task.status",
    "step.started",
    "message.delta",
    "message.delta",
    "message.completed",
    "step.completed",
    "step.started",
    "step.completed",
    "message.completed",
    "task.status",
    "task.input_required",
]


async def test_a_stream_ends_with_the_question_and_goes_on_after_the_answer(api: RunningApi) -> None:
    task, agent, task_id, execution = await asked(api)
    url = f"{TASKS}/{task}/events"
    first = await everything(api.http, url)
    assert [frame.event for frame in first] == ASKED
    end = f"{first[-2].id.split('.')[0]}.9999"
    assert first[-1] == Seen(end, "task.input_required", {"task_id": task, "prompt": "Which?"})
    assert [frame.data for frame in first if frame.event == "task.status"] == [
        {"task_id": task, "status": "running"},
        {"task_id": task, "status": "waiting_for_user"},
    ]
    texts = [frame.data for frame in first if frame.event.startswith("message.")]
    assert texts == [
        {"message_id": "message:1.0", "text": "Hel"},
        {"message_id": "message:1.0", "text": "Hallo"},
        {"message_id": "message:1.0", "content": "Hallo"},
        {"message_id": "message:q1", "content": "Which?"},
    ]
    for frame in first:
        if frame.event.startswith("step."):
            schemas = chat_tasks_dialect().app.openapi()["components"]
            validator = Draft202012Validator({"$ref": "#/components/schemas/Step", "components": schemas})
            validator.validate(frame.data["step"])  # pyright: ignore[reportUnknownMemberType]
    last = first[-2].id
    assert [frame.event for frame in await everything(api.http, url, last)] == ["task.input_required"]
    seen_the_end = await api.http.get(url, headers={"Last-Event-ID": end})
    assert (seen_the_end.status_code, seen_the_end.content) == (204, b"")

    answered = await api.http.post(f"{TASKS}/{task}/reply", json=said(agent, "This"))
    assert answered.status_code == 202
    async with asyncio.timeout(20), frames(api.http, url, last) as stream:
        told = await anext(stream)
        assert (told.event, told.data["step"]["data"]) == ("step.completed", {"role": "user", "content": "This"})
        assert told.data["step"]["id"] == f"message:{answered.headers['baton-message-id']}"
        assert (await anext(stream)).data == {"task_id": task, "status": "running"}
        await api.set_task(task_id, state="succeeded", result="Done")
        over = ended(UUID(task_id), TaskState.SUCCEEDED, result="Done")
        await api.append(execution, over, positions={UUID(task_id): 1}, state=ExecutionState.SUCCEEDED)
        rest = [frame async for frame in stream]
    assert [(frame.event, frame.data) for frame in rest] == [
        ("task.status", {"task_id": task, "status": "completed"}),
        ("task.completed", {"status": "completed", "output": "Done", "error": None}),
    ]
    assert (await api.http.get(url, headers={"Last-Event-ID": rest[-1].id})).status_code == 204


async def test_a_stream_can_be_cut_after_every_frame(api: RunningApi) -> None:
    task, _, _, _ = await asked(api)
    url = f"{TASKS}/{task}/events"
    whole = await everything(api.http, url)
    for n, frame in enumerate(whole[:-1], 1):
        assert await everything(api.http, url, frame.id) == whole[n:]


@pytest.mark.parametrize(
    ("state", "code", "error"),
    [("failed", "boom", "boom"), ("cancelled", None, "cancelled"), ("failed", None, "failed")],
)
async def test_a_stream_of_a_task_that_failed(api: RunningApi, state: str, code: str | None, error: str) -> None:
    task, _, task_id, execution = await single(api)
    await api.set_task(task_id, state=state, error_code=code)
    over = ended(UUID(task_id), TaskState(state), error=code)
    await api.append(execution, over, positions={UUID(task_id): 1}, state=ExecutionState(state))
    last = (await everything(api.http, f"{TASKS}/{task}/events"))[-1]
    assert last == Seen("3.9999", "task.completed", {"status": "failed", "output": None, "error": error})


async def test_a_connection_that_the_server_ends_says_so(database_url: str) -> None:
    """Clients take one that ends without a last frame for broken."""
    async with running_api(database_url, stream_max_seconds=0.5) as lone:
        task, _, _, _ = await single(lone)
        seen = await everything(lone.http, f"{TASKS}/{task}/events")
        assert [frame.event for frame in seen] == ["task.status", "stream.error"]
        assert seen[-1].data["code"] == "stream_expired"


async def test_a_task_that_rests_only_in_the_log_has_not_ended(api: RunningApi) -> None:
    """The last frame is the task's as it is: one that has gone on since the log was read is followed on."""
    task, _, task_id, execution = await asked(api)
    await api.set_task(task_id, state="running")
    async with asyncio.timeout(20), frames(api.http, f"{TASKS}/{task}/events") as stream:
        for name in ASKED[:-1]:
            assert (await anext(stream)).event == name
        going = NewEvent(TaskResumed(by="x"), UUID(task_id), TaskState.RUNNING)
        await api.append(execution, going, positions={UUID(task_id): 1}, state=ExecutionState.RUNNING)
        assert (await anext(stream)).data == {"task_id": task, "status": "running"}


async def test_frames_are_made_of_one_event_alone(api: RunningApi) -> None:
    """Every kind of event, with and without a state, makes frames of the published names, the same each time."""
    who = Principal(uuid4(), "t", "s", "k", frozenset())
    task_id, execution = uuid4(), uuid4()
    encoder = task_encoder(api.app.state.baton, who, 7, task_id)
    names: set[str] = set()
    for body in BODIES:
        for state in (None, *TaskState):
            one = event(body, task=task_id, state=state)
            made = encoder.frames(execution, one)
            assert made == encoder.frames(execution, one)
            assert [frame for frame in made if frame[0] == "task.status"] == (
                [] if state is None else [("task.status", {"task_id": 7, "status": STATUS[state]})]
            )
            names |= {name for name, _ in made}
            assert encoder.frames(execution, event(body, task=uuid4(), state=state)) == ()
    assert names == {"task.status", "step.started", "step.completed", "message.delta", "message.completed"}


async def test_steps_of_a_task_with_a_turn(api: RunningApi) -> None:
    """What rows say: a step under way, one interrupted, one that failed; calls made, failed and held back."""
    task, agent, task_id, _ = await single(api, "!say hello")
    tenant = await api.tenant_id()
    async with api.pool.transaction() as connection:
        await connection.execute(
            "INSERT INTO turns (tenant_id, task_id, turn) VALUES ($1, $2, 1)", tenant, UUID(task_id)
        )
        for step, state, text, seconds in (
            (0, "recorded", "Hello", 1),
            (1, "interrupted", "Hel", 3),
            (2, "failed", "", 5),
            (3, "running", "", 7),
        ):
            await connection.execute(
                "INSERT INTO steps (tenant_id, task_id, turn, step, first_event, state, text, started_at, ended_at)"
                " VALUES ($1, $2, 1, $3, 1, $4, $5, now() + make_interval(secs => $6),"
                " CASE WHEN $4 <> 'running' THEN now() + make_interval(secs => $6 + 1) END)",
                tenant,
                UUID(task_id),
                step,
                state,
                text,
                seconds,
            )
        for n, (call, state, content, failed) in enumerate(
            (("a", "done", {"x": 1}, False), ("b", "done", "broke", True), ("c", "pending", None, False))
        ):
            await connection.execute(
                "INSERT INTO tool_calls (tenant_id, task_id, turn, step, call_id, ordinal, name, arguments, state,"
                " content, failed) VALUES ($1, $2, 1, 0, $3, $4, 'clock', $5, $6, $7, $8)",
                tenant,
                UUID(task_id),
                call,
                n,
                {"n": n},
                state,
                content,
                failed,
            )
    await api.http.post(f"{TASKS}/{task}/messages", json=said(agent, "go on"), headers={"Baton-Mode": "queue"})
    withdrawn = await api.http.post(f"{TASKS}/{task}/messages", json=said(agent, "no"), headers={"Baton-Mode": "queue"})
    async with api.pool.connection() as connection:
        await connection.execute(
            "UPDATE messages SET state = 'withdrawn' WHERE id = $1", UUID(withdrawn.headers["baton-message-id"])
        )
    steps = fits(await api.http.get(f"{TASKS}/{task}/steps"), "StepsResponse")["steps"]
    assert [step["started_at"] for step in steps] == sorted(step["started_at"] for step in steps)
    shown = {step["id"]: (step["type"], step["status"], step["data"]) for step in steps}
    (sent,) = [name for name in shown if name.startswith("message:") and len(name) > 40]
    assert shown == {
        "message:description": ("message", "completed", {"role": "user", "content": "!say hello"}),
        sent: ("message", "completed", {"role": "user", "content": "go on"}),
        "thinking:1.0": ("thinking", "completed", {"phase": "step"}),
        "message:1.0": ("message", "completed", {"role": "assistant", "content": "Hello"}),
        "thinking:1.1": ("thinking", "completed", {"phase": "step", "interrupted": True}),
        "message:1.1": ("message", "completed", {"role": "assistant", "content": "Hel"}),
        "thinking:1.2": ("thinking", "failed", {"phase": "step"}),
        "thinking:1.3": ("thinking", "running", {"phase": "step"}),
        "tool_call:1.0.a": ("tool_call", "completed", {"name": "clock", "args": {"n": 0}, "result": {"x": 1}}),
        "tool_call:1.0.b": ("tool_call", "failed", {"name": "clock", "args": {"n": 1}, "error": "broke"}),
        "tool_call:1.0.c": ("tool_call", "running", {"name": "clock", "args": {"n": 2}}),
    }
    assert (await api.http.get(f"{TASKS}/{task}")).json()["input"] == "go on"


def test_keys_of_other_schemes_are_not_in_the_document() -> None:
    document = chat_tasks_dialect().app.openapi()
    assert list(document["components"]["securitySchemes"]) == ["HTTPBearer"]
    for path in document["paths"].values():
        for operation in path.values():
            assert {"401", "403", "404", "422", "429", "500", "503"} <= set(operation["responses"])
