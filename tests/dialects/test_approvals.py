"""Approvals over HTTP: read, decided once, in one style with the rest; and how other dialects show them."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from baton.client.schemas.approvals import ApprovalOut, DecidedApproval
from baton.client.schemas.tasks import TaskOut
from baton.domain.agents import Scope
from baton.domain.approvals import ToolRules, digest_of
from baton.domain.conversation import ModelReply, ToolCall
from baton.domain.ids import StepKey
from baton.domain.json import JsonObject
from baton.store import events, steps, tools
from baton.store.steps import StepAttempt
from baton.store.tools import StartedCall
from baton.store.waiting import waiting_after
from tests.dialects.requests import Json, start_plan, start_task, task_ids
from tests.dialects.test_baton import V1, problem
from tests.support.api import RunningApi
from tests.support.keys import list_keys

RULES = ToolRules({"*": "ask"})


async def key_of(api: RunningApi, task_id: str, turn: int = 1) -> StepKey:
    """The first step of a task's turn."""
    async with api.pool.connection() as connection:
        execution = await connection.fetchval("SELECT execution_id FROM tasks WHERE id = $1", UUID(task_id))
    return StepKey(await api.tenant_id(), execution, UUID(task_id), turn, 0)


async def hold(api: RunningApi, task_id: str, *calls: ToolCall, rules: ToolRules = RULES) -> list[Json]:
    """Have a worker take the task's first turn, in which the agent asks for ``calls``; the open approvals."""
    key = await key_of(api, task_id)
    async with api.pool.transaction() as connection:
        started = await steps.start_step(connection, key)
        assert isinstance(started, StepAttempt)
    asked = calls or (ToolCall("c1", "write", {"path": "/tmp/a"}),)
    async with api.pool.transaction() as connection:
        await steps.record_step(connection, key, 1, ModelReply("", asked, {"text": ""}), (), (), (), rules)
    task = (await api.http.get(f"{V1}/tasks/{task_id}")).json()
    TaskOut.model_validate(task)
    assert task["state"] == "waiting"
    approvals: list[Json] = task["approvals"]
    return approvals


async def waiting(api: RunningApi, *calls: ToolCall) -> tuple[Json, list[Json]]:
    """A task that waits for approvals, and those."""
    task = (await start_task(api.http))["tasks"][0]
    return task, await hold(api, task["id"], *calls)


async def post(api: RunningApi, approval: Json, **body: Any) -> Any:
    return await api.http.post(f"{V1}/approvals/{approval['id']}", json=body)


async def test_a_task_shows_what_it_waits_for(api: RunningApi) -> None:
    task, (approval,) = await waiting(api)
    assert approval == {
        "id": approval["id"],
        "turn": 1,
        "step": 0,
        "call_id": "c1",
        "tool": "write",
        "arguments": {"path": "/tmp/a"},
        "digest": digest_of("write", {"path": "/tmp/a"}),
        "asked_at": approval["asked_at"],
    }
    inbox = (await api.http.get(f"{V1}/tasks?state=waiting")).json()["items"]
    assert [item["approvals"] for item in inbox] == [[approval]]
    answer = await api.http.get(f"{V1}/approvals/{approval['id']}")
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{inbox[0]["version"]}"')
    shown = answer.json()
    ApprovalOut.model_validate(shown)
    assert shown["asked_at"].startswith(approval["asked_at"][:19])
    assert shown | {"asked_at": approval["asked_at"]} == approval | {
        "task_id": task["id"],
        "execution_id": task["execution_id"],
        "state": "open",
        "decided_at": None,
        "decided_by": None,
        "author": None,
        "reason": None,
        "edited_arguments": None,
        "approved_digest": None,
    }
    explained = (await api.http.get(f"{V1}/tasks/{task['id']}/explain")).json()["reasons"][0]
    assert explained["code"] == "approval"
    assert explained["data"]["approval_id"] == approval["id"]
    assert "/tmp/a" not in explained["text"]


async def test_approve(api: RunningApi) -> None:
    task, (approval,) = await waiting(api)
    answer = await post(api, approval, decision="approve", reason="fine", digest=approval["digest"])
    assert answer.status_code == 200, answer.text
    decided = answer.json()
    DecidedApproval.model_validate(decided)
    assert (decided["state"], decided["reason"], decided["approved_digest"]) == ("approved", "fine", approval["digest"])
    (key,) = [one for one in await list_keys(api.pool, api.tenant) if str(one.id) == decided["author"]["id"]]
    assert decided["author"] == {"kind": "key", "id": str(key.id), "name": decided["decided_by"]}
    now = await api.http.get(f"{V1}/tasks/{task['id']}")
    assert decided["task"] == {"state": "running", "version": now.json()["version"]}
    assert answer.headers["etag"] == now.headers["etag"]
    assert answer.headers["baton-execution-id"] == task["execution_id"]
    again = await post(api, approval, decision="approve", reason="fine", digest=approval["digest"])
    assert (again.status_code, again.json()) == (200, decided)
    found = problem(await post(api, approval, decision="decline"), 409, "approval_decided")
    assert found["state"] == "approved"
    assert now.json()["approvals"] == []


async def test_approve_with_other_arguments(api: RunningApi) -> None:
    task, (approval,) = await waiting(api)
    answer = await post(api, approval, decision="approve", arguments={"path": "/tmp/b"})
    decided = answer.json()
    assert (decided["arguments"], decided["edited_arguments"]) == ({"path": "/tmp/a"}, {"path": "/tmp/b"})
    assert decided["approved_digest"] == digest_of("write", {"path": "/tmp/b"})
    await api.give_tools("write")
    key = await key_of(api, task["id"], 2)
    async with api.pool.transaction() as connection:
        await steps.start_step(connection, key)
    async with api.pool.transaction() as connection:
        made = await tools.start_tool(connection, await key_of(api, task["id"]), "c1")
    assert isinstance(made, StartedCall)
    assert made.call == ToolCall("c1", "write", {"path": "/tmp/b"})


SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"path": {"type": "string"}},
    "required": ["path"],
    "additionalProperties": False,
}


async def test_arguments_that_break_the_tools_schema_are_refused(api: RunningApi) -> None:
    rules = ToolRules({"*": "ask"}, parameters={"write": SCHEMA})
    task = (await start_task(api.http))["tasks"][0]
    (approval,) = await hold(api, task["id"], rules=rules)
    for wrong in ({}, {"path": 7}, {"path": "/tmp/b", "mode": "w"}):
        found = problem(await post(api, approval, decision="approve", arguments=wrong), 422, "arguments_refused")
        assert found["problems"][0]["where"] == ["body", "arguments"]
    now = (await api.http.get(f"{V1}/tasks/{task['id']}")).json()
    assert (now["state"], now["approvals"]) == ("waiting", [approval])
    assert (await post(api, approval, decision="approve", arguments={"path": "/tmp/b"})).status_code == 200
    found = problem(await post(api, approval, decision="approve", arguments={}), 409, "approval_decided")
    assert found["state"] == "approved"


async def test_decline(api: RunningApi) -> None:
    _, (one, two) = await waiting(api, ToolCall("c1", "write", {}), ToolCall("c2", "drop", {}))
    first = (await post(api, one, decision="decline", reason="no")).json()
    assert (first["state"], first["task"]["state"]) == ("declined", "waiting")
    second = (await post(api, two, decision="decline")).json()
    assert (second["state"], second["reason"], second["task"]["state"]) == ("declined", "", "running")


async def test_a_message_decides_too(api: RunningApi) -> None:
    task, approvals = await waiting(api, ToolCall("c1", "write", {}), ToolCall("c2", "drop", {}))
    body = {"text": "you may write", "grants": ["write"], "plan_only": False}
    assert (await api.http.post(f"{V1}/tasks/{task['id']}/messages", json=body)).status_code == 202
    states = [(await api.http.get(f"{V1}/approvals/{one['id']}")).json() for one in approvals]
    assert [(one["state"], one["reason"]) for one in states] == [("approved", ""), ("declined", "you may write")]
    async with api.pool.transaction() as connection:
        await steps.start_step(connection, await key_of(api, task["id"], 2))
    now = (await api.http.get(f"{V1}/tasks/{task['id']}")).json()
    assert (now["granted_tools"], now["plan_only"]) == (["write"], False)


async def test_a_task_may_start_with_grants_and_in_plan_mode(api: RunningApi) -> None:
    allowed: dict[str, Any] = {"granted_tools": ["write"], "plan_only": True}
    task = (await start_task(api.http, **allowed))["tasks"][0]
    assert (task["granted_tools"], task["plan_only"]) == (["write"], True)
    plan = {"title": "P", "tasks": [{"id": 1, "title": "a", "description": "x"}]}
    answer = await api.http.post(f"{V1}/executions", json={"plan": plan} | allowed)
    (task,) = answer.json()["tasks"]
    assert (task["granted_tools"], task["plan_only"]) == (["write"], True)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "perhaps"},
        {"decision": None},
        {"decision": "approve", "reason": 5},
        {"decision": "approve", "reason": "x" * 10_001},
        {"decision": "approve", "reason": "a\x00b"},
        {"decision": "approve", "arguments": []},
        {"decision": "decline", "arguments": {}},
        {"decision": "approve", "arguments": {"a": "\x00"}},
        {"decision": "approve", "digest": 5},
        {"decision": "approve", "answers": []},
    ],
)
async def test_a_decision_that_does_not_fit(api: RunningApi, body: Json) -> None:
    _, (approval,) = await waiting(api)
    found = problem(await post(api, approval, **body), 422, "invalid_input")
    assert found["problems"]
    assert (await api.http.get(f"{V1}/approvals/{approval['id']}")).json()["state"] == "open"


async def test_arguments_that_are_too_deep(api: RunningApi) -> None:
    _, (approval,) = await waiting(api)
    body = '{"decision": "approve", "arguments": ' + '{"a":' * 200 + "1" + "}" * 201
    headers = {"content-type": "application/json"}
    answer = await api.http.post(f"{V1}/approvals/{approval['id']}", content=body, headers=headers)
    problem(answer, 422, "invalid_input")


async def test_a_digest_of_another_call_is_outdated(api: RunningApi) -> None:
    task, (approval,) = await waiting(api)
    answer = await post(api, approval, decision="approve", digest=digest_of("write", {}))
    found = problem(answer, 412, "outdated")
    now = await api.http.get(f"{V1}/tasks/{task['id']}")
    assert found["version"] == now.json()["version"]
    assert answer.headers["etag"] == now.headers["etag"]


async def test_who_may_decide(api: RunningApi) -> None:
    _, (approval,) = await waiting(api)
    path = f"{V1}/approvals/{approval['id']}"
    body = {"decision": "approve"}
    problem(await api.client(None).post(path, json=body), 401, "unauthenticated")
    reader = api.client(await api.new_key(Scope.READ))
    assert (await reader.get(path)).status_code == 200
    problem(await reader.post(path, json=body), 403, "forbidden")
    stranger = api.client(api.other_key)
    problem(await stranger.get(path), 404, "approval_not_found")
    problem(await stranger.post(path, json=body), 404, "approval_not_found")
    for nobody in (str(uuid4()), "x", "0" * 36, "%00"):
        problem(await api.http.get(f"{V1}/approvals/{nobody}"), 404, "approval_not_found")
        problem(await api.http.post(f"{V1}/approvals/{nobody}", json=body), 404, "approval_not_found")
    sender = api.client(await api.new_key(Scope.SEND))
    assert (await sender.post(path, json=body)).status_code == 200


async def test_a_key_of_another_agent_may_not_decide(api: RunningApi) -> None:
    _, (approval,) = await waiting(api)
    async with api.pool.connection() as connection:
        number = await connection.fetchval(
            "INSERT INTO agents (tenant_id, id, name, model) VALUES ($1, $2, 'other', 'scripted') RETURNING number",
            await api.tenant_id(),
            uuid4(),
        )
    bound = api.client(await api.new_key(agent_number=number))
    answer = await bound.post(f"{V1}/approvals/{approval['id']}", json={"decision": "approve"})
    problem(answer, 404, "approval_not_found")
    problem(await bound.get(f"{V1}/approvals/{approval['id']}"), 404, "approval_not_found")


async def test_two_decisions_at_once(api: RunningApi) -> None:
    for _ in range(5):
        _, (approval,) = await waiting(api)
        answers = await asyncio.gather(*(post(api, approval, decision=word) for word in ("approve", "decline") * 4))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200] * 4 + [409] * 4
        state = (await api.http.get(f"{V1}/approvals/{approval['id']}")).json()["state"]
        assert {answer.json()["state"] for answer in answers} == {state}


async def test_kubiya_asks_for_consent_in_words(api: RunningApi) -> None:
    execution = await start_plan(api.http)
    task_id = (await task_ids(api.http, execution))[1]
    async with api.pool.connection() as connection:
        await connection.execute("UPDATE tasks SET state = 'running' WHERE id = $1", UUID(task_id))
    await hold(api, task_id)
    asked = 'May write be called with {"path": "/tmp/a"}?'
    status = (await api.http.get(f"/api/v1/tasks/plan/{execution}")).json()
    assert [task["question"] for task in status["waiting_tasks"]] == [asked]
    async with api.pool.connection() as connection:
        whose = await api.tenant_id(), UUID(execution)
        log = await events.head(connection, *whose)
        assert log is not None
        waiting, _ = await waiting_after(connection, *whose, log.head, most_bytes=10_000, limit=10)
    assert [one.question for one in waiting] == [asked]
    message = {"message": "no, do not"}
    answer = await api.http.post(f"/api/v1/tasks/plan/{execution}/tasks/1/message", json=message)
    assert answer.status_code == 200
    (approval,) = [row for row in await _events(api, execution) if row["type"] == "approval.asked"]
    shown = (await api.http.get(f"{V1}/approvals/{approval['data']['approval_id']}")).json()
    assert (shown["state"], shown["reason"]) == ("declined", "no, do not")


async def _events(api: RunningApi, execution: str) -> list[Json]:
    async with api.pool.connection() as connection:
        rows = await connection.fetch(
            "SELECT type, data FROM events WHERE execution_id = $1 ORDER BY seq", UUID(execution)
        )
    return [dict(row) for row in rows]
