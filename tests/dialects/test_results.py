"""Results that are JSON, and what they must be, as callers write and read them."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.dialects.commands import Command
from tests.dialects.requests import kubiya_plan, kubiya_task
from tests.support.api import RunningApi

V1 = "/baton/v1"
COUNT: dict[str, Any] = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}


async def test_an_agent_has_a_result_schema(api: RunningApi) -> None:
    body = {"name": "counter", "model": "scripted", "result_schema": COUNT}
    made = await api.http.post(f"{V1}/agents", json=body)
    assert (made.status_code, made.json()["result_schema"]) == (201, COUNT)
    path = f"{V1}/agents/{made.json()['id']}"
    assert (await api.http.patch(path, json={"mode": "queue"})).json()["result_schema"] == COUNT
    assert (await api.http.patch(path, json={"result_schema": {}})).json()["result_schema"] == {}
    for wrong in ({"type": "objekt"}, {"$ref": "https://example.com"}, {"pattern": "(?=a)"}, "object", True):
        refused = await api.http.patch(path, json={"result_schema": wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input"), wrong
    assert (await api.http.get(path)).json()["result_schema"] == {}


async def test_a_start_says_what_results_must_be(api: RunningApi) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"prompt": "!ask How many?", "result_schema": COUNT}
    first, again = [await api.http.post(f"{V1}/executions", json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, again.json()) == (201, first.json())
    other = await api.http.post(f"{V1}/executions", json=body | {"result_schema": {}}, headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"
    for wrong in (
        {"prompt": "x", "result_schema": {"type": "objekt"}},
        {"plan": kubiya_plan(), "result_schema": COUNT},
        {"plan": kubiya_plan(kubiya_task(1, result_schema={"type": "objekt"}))},
    ):
        refused = await api.http.post(f"{V1}/executions", json=wrong)
        assert (refused.status_code, refused.json()["problems"][0]["where"][-1]) == (422, "result_schema"), wrong
    plan = {"plan": kubiya_plan(kubiya_task(1, result_schema={"type": 1})), "worker_queue_id": "q"}
    (told,) = (await api.http.post("/api/v1/tasks/plan/execute", json=plan)).json()["detail"]
    assert told["loc"][-3:] == ["tasks", 0, "result_schema"]


async def test_a_files_error_has_its_line(api: RunningApi, baton: Command) -> None:
    text = "title: P\ntasks:\n- id: 1\n  title: T\n  description: d\n  result_schema: {type: objekt}\n"
    done = await baton("run", "-", stdin=text)
    assert (done.code, "line 6" in done.err, "result_schema" in done.err) == (4, True, True)


@pytest.mark.parametrize("result", [{"count": 3}, [1, "a"], "text", 7, None])
async def test_json_is_json_where_there_is_a_place_for_it(api: RunningApi, result: Any) -> None:
    started = (await api.http.post(f"{V1}/executions", json={"prompt": "x"})).json()
    task, text = started["tasks"][0], json.dumps(result)
    await api.set_task(task["id"], state="succeeded", result=text, result_json=True)
    await api.set_execution(started["id"], "succeeded")
    assert (await api.http.get(f"{V1}/tasks/{task['id']}")).json()["result"] == result
    (listed,) = (await api.http.get(f"{V1}/executions/{started['id']}")).json()["tasks"]
    assert listed["result"] == result
    asteroid = (await api.http.get(f"/agents/v2/executions/{started['id']}")).json()
    assert asteroid["executionResult"]["result"] == result
    assert (await api.http.get(f"/api/v1/executions/{started['id']}")).json()["response"] == text
    assert (await api.http.get(f"/v1/chat/tasks/{task['number']}")).json()["output"] == text
    await api.set_task(task["id"], result_json=False)
    assert (await api.http.get(f"{V1}/tasks/{task['id']}")).json()["result"] == text
