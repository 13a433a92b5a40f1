"""Does Kubiya's client see what Kubiya's page says?"""

from typing import Any, cast
from uuid import UUID

import pytest

from tests.dialects.requests import kubiya_plan, kubiya_task, start_plan, start_task, task_ids
from tests.support.api import RunningApi

PLAN = "/api/v1/tasks/plan"
NOBODY = "7d3e7c1e-6f6b-4a52-9d0c-2f6a54b6e0a1"


async def test_a_plan_is_started(api: RunningApi) -> None:
    plan = kubiya_plan(kubiya_task(1), kubiya_task(2, 1))
    for given in (plan, {"plan": plan}):
        answer = await api.http.post(f"{PLAN}/execute", json={"plan": given, "worker_queue_id": "q"})
        assert answer.status_code == 201
        body = answer.json()
        assert UUID(body.pop("execution_id")) == UUID(answer.headers["baton-execution-id"])
        assert body == {"status": "running", "plan_title": "A plan", "total_tasks": 2}


async def test_a_plan_is_read(api: RunningApi) -> None:
    execution = await start_plan(
        api.http,
        kubiya_task(1),
        kubiya_task(5, 1),
        plan_generation_id="gen-1",
        agent_id="assistant",
        worker_queue_id="q",
    )
    answer = await api.http.get(f"{PLAN}/{execution}")
    assert answer.status_code == 200
    ids = await task_ids(api.http, execution)
    assert answer.json() == {
        "execution_id": execution,
        "plan_generation_id": "gen-1",
        "status": "pending",
        "plan_title": "A plan",
        "total_tasks": 2,
        "completed_tasks": 0,
        "failed_tasks": 0,
        "progress_percentage": 0.0,
        "started_at": None,
        "completed_at": None,
        "waiting_tasks": [],
        "plan_json": kubiya_plan(kubiya_task(1), kubiya_task(5, 1)),
        "tasks": [
            {
                "task_id": n,
                "execution_id": ids[n],
                "title": f"Task {n}",
                "status": "pending",
                "dependencies": needs,
                "output": None,
                "error": None,
            }
            for n, needs in ((1, []), (5, [1]))
        ],
    }


@pytest.mark.parametrize(
    ("state", "plan", "task", "single"),
    [
        ("pending", "pending", "pending", "pending"),
        ("running", "running", "running", "running"),
        ("waiting", "pending_user_input", "waiting_for_input", "waiting_for_input"),
        ("paused", "pending_user_input", "waiting_for_input", "paused"),
        ("succeeded", "completed", "success", "completed"),
        ("failed", "failed", "failed", "failed"),
        ("cancelled", "cancelled", "failed", "cancelled"),
    ],
)
async def test_every_status(api: RunningApi, state: str, plan: str, task: str, single: str) -> None:
    execution = await start_plan(api.http)
    ids = await task_ids(api.http, execution)
    await api.set_task(ids[1], state=state)
    async with api.pool.connection() as connection:
        await connection.execute("UPDATE executions SET state = $1 WHERE id = $2", state, UUID(execution))
    shown = (await api.http.get(f"{PLAN}/{execution}")).json()
    assert (shown["status"], shown["tasks"][0]["status"]) == (plan, task)
    assert (await api.http.get(f"/api/v1/executions/{ids[1]}")).json()["status"] == single
    listed = (await api.http.get(f"{PLAN}/plan-executions", params={"status": plan})).json()
    assert [item["execution_id"] for item in listed["executions"]] == [execution]
    other = "completed" if plan != "completed" else "running"
    assert (await api.http.get(f"{PLAN}/plan-executions", params={"status": other})).json()["executions"] == []


async def test_what_a_plan_waits_for(api: RunningApi) -> None:
    execution = await start_plan(api.http, kubiya_task(1), kubiya_task(2), kubiya_task(3))
    ids = await task_ids(api.http, execution)
    await api.ask(ids[2], "Which colour?")
    await api.set_task(ids[1], state="succeeded", result="done")
    shown = (await api.http.get(f"{PLAN}/{execution}")).json()
    (waiting,) = shown["waiting_tasks"]
    assert waiting.pop("waiting_since") is not None
    assert waiting == {"task_id": 2, "execution_id": ids[2], "question": "Which colour?"}
    assert (shown["completed_tasks"], shown["progress_percentage"]) == (1, 33.33)
    assert shown["tasks"][0]["output"] == "done"


async def test_plans_are_listed_newest_first(api: RunningApi) -> None:
    started = [await start_plan(api.http, plan=kubiya_plan(title=f"P{n}")) for n in range(3)]
    first = (await api.http.get(f"{PLAN}/plan-executions", params={"limit": 2})).json()
    assert (first["total"], first["limit"], first["offset"]) == (3, 2, 0)
    assert [item["execution_id"] for item in first["executions"]] == started[:0:-1]
    second = (await api.http.get(f"{PLAN}/plan-executions", params={"limit": 2, "offset": 2})).json()
    assert [item["title"] for item in second["executions"]] == ["P0"]
    item = second["executions"][0]
    assert set(item) == {
        "execution_id",
        "agent_id",
        "plan_generation_id",
        "title",
        "summary",
        "status",
        "total_tasks",
        "completed_tasks",
        "failed_tasks",
        "created_at",
        "started_at",
        "completed_at",
    }
    assert UUID(item["agent_id"])


async def test_a_message_to_a_waiting_task(api: RunningApi) -> None:
    execution = await start_plan(api.http, kubiya_task(1), kubiya_task(2))
    ids = await task_ids(api.http, execution)
    await api.ask(ids[2], "Which colour?")
    answer = await api.http.post(f"{PLAN}/{execution}/tasks/2/message", json={"message": " Blue\n\nplease "})
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("message_id") == answer.headers["baton-message-id"]
    assert body == {
        "success": True,
        "execution_id": execution,
        "task_id": 2,
        "message_sent": True,
        "workflow_signaled": False,  # Temporal is away: the message is safe all the same
    }
    assert answer.headers["baton-execution-id"] == execution
    assert answer.headers["etag"] == '"3"'
    stored = (await api.http.get(f"/baton/v1/messages/{answer.headers['baton-message-id']}")).json()
    assert (stored["text"], stored["answers"], stored["origin"]) == (" Blue\n\nplease ", ["q1"], "kubiya")
    shown = (await api.http.get(f"{PLAN}/{execution}")).json()
    assert (shown["tasks"][1]["status"], shown["waiting_tasks"]) == ("running", [])


@pytest.mark.parametrize("body", [{}, {"message": ""}, {"message": "  \n"}, {"message": None}, {"other": "x"}])
async def test_a_message_without_text_is_a_400(api: RunningApi, body: Any) -> None:
    execution = await start_plan(api.http)
    for path in (f"{PLAN}/{execution}/tasks/1/message", f"{PLAN}/{NOBODY}/tasks/1/message"):
        answer = await api.http.post(path, json=body)
        assert answer.status_code == 400
        assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize(
    ("execution", "task", "status"),
    [
        (None, "9", 404),
        (NOBODY, "1", 404),
        ("not-a-uuid", "1", 404),
        ("%00", "1", 404),
        ("é", "1", 404),
        (None, "-1", 404),
        (None, "9223372036854775808", 404),
        (None, "9" * 400, 404),
        (None, "9" * 5000, 422),
        (None, "one", 422),
        (None, "1.5", 422),
        (None, "%00", 422),
    ],
)
async def test_a_message_to_nobody(api: RunningApi, execution: str | None, task: str, status: int) -> None:
    known = await start_plan(api.http)
    answer = await api.http.post(f"{PLAN}/{execution or known}/tasks/{task}/message", json={"message": "x"})
    assert answer.status_code == status
    detail = answer.json()["detail"]
    if status == 422:
        assert set(detail[0]) == {"loc", "msg", "type"}
        assert detail[0]["loc"] == ["path", "task_id"]
    else:
        assert isinstance(detail, str)


@pytest.mark.parametrize(
    ("content", "loc"),
    [
        (b"", ["body"]),
        (b"{", ["body"]),
        (b"[]", ["body"]),
        (b'"x"', ["body"]),
        (b"null", ["body"]),
        (b'{"message": "\\u0000"}', ["body"]),
        (b'{"message": "\\ud800"}', ["body"]),
        (b'{"message": "\xff"}', ["body"]),
        (b'{"message": 5}', ["body", "message"]),
        (b'{"message": ["x"]}', ["body", "message"]),
        (b'{"message": "x", "n": 9223372036854775808}', ["body"]),
        (b'{"message": "x", "n": NaN}', ["body"]),
        (b'{"message": ' + b"[" * 3000 + b"]" * 3000 + b"}", ["body"]),
    ],
)
async def test_a_bad_body_is_fastapis_422(api: RunningApi, content: bytes, loc: list[str]) -> None:
    execution = await start_plan(api.http)
    answer = await api.http.post(
        f"{PLAN}/{execution}/tasks/1/message", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["loc"] == loc
    assert set(problem) == {"loc", "msg", "type"}


async def test_conflicts_name_the_state(api: RunningApi) -> None:
    execution = await start_plan(api.http)
    path = f"{PLAN}/{execution}/tasks/1/message"
    ids = await task_ids(api.http, execution)
    busy = await api.http.post(path, json={"message": "x"}, headers={"Baton-Mode": "reject"})
    assert busy.status_code == 409
    assert "pending" in busy.json()["detail"]
    stale = await api.http.post(path, json={"message": "x"}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    assert stale.headers["etag"] == '"1"'
    await api.set_task(ids[1], state="cancelled")
    closed = await api.http.post(path, json={"message": "x"})
    assert closed.status_code == 409
    assert "cancelled" in closed.json()["detail"]
    assert (await api.http.get(f"/baton/v1/tasks/{ids[1]}/messages")).json()["items"] == []


async def test_an_answer_that_breaks_the_schema(api: RunningApi) -> None:
    execution = await start_plan(api.http)
    ids = await task_ids(api.http, execution)
    await api.ask(ids[1], "How many?", schema={"type": "integer"})
    path = f"{PLAN}/{execution}/tasks/1/message"
    refused = await api.http.post(path, json={"message": "many"})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["type"] == "answer_refused"
    assert (await api.http.get(f"/baton/v1/tasks/{ids[1]}")).json()["state"] == "waiting"
    assert (await api.http.post(path, json={"message": "7"})).status_code == 200


async def test_a_repeat_under_the_same_key_stores_nothing(api: RunningApi) -> None:
    execution = await start_plan(api.http)
    path, headers = f"{PLAN}/{execution}/tasks/1/message", {"Idempotency-Key": "k"}
    first = await api.http.post(path, json={"message": "x"}, headers=headers)
    again = await api.http.post(path, json={"message": "x"}, headers=headers)
    assert first.json()["message_id"] == again.json()["message_id"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = await api.http.post(path, json={"message": "y"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["detail"][0]["loc"] == ["header", "Idempotency-Key"]
    ids = await task_ids(api.http, execution)
    assert len((await api.http.get(f"/baton/v1/tasks/{ids[1]}/messages")).json()["items"]) == 1


async def test_continue_answers_several(api: RunningApi) -> None:
    execution = await start_plan(api.http, kubiya_task(1), kubiya_task(2), kubiya_task(3))
    ids = await task_ids(api.http, execution)
    for n in ids:
        await api.ask(ids[n], f"What about {n}?")
    answer = await api.http.post(
        f"{PLAN}/{execution}/continue",
        json={"responses": [{"execution_id": ids[3], "message": "c"}, {"execution_id": ids[1], "message": "a"}]},
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "execution_id": execution,
        "messages_sent": 2,
        "sent_to_executions": [ids[3], ids[1]],
        "signals_sent": 0,
        "task_ids": [3, 1],
        "remaining_waiting_tasks": 1,
        "plan_status": "running",
        "workflow_signaled": False,
    }
    again = await api.http.post(
        f"{PLAN}/{execution}/continue",
        json={"responses": [{"execution_id": ids[3], "message": "c"}, {"execution_id": ids[1], "message": "a"}]},
        headers={"Idempotency-Key": "k"},
    )
    assert again.headers["baton-message-id"] == answer.headers["baton-message-id"]
    for n in (1, 3):
        assert len((await api.http.get(f"/baton/v1/tasks/{ids[n]}/messages")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("second", "status"),
    [
        ({"execution_id": NOBODY, "message": "b"}, 404),
        ({"execution_id": "x", "message": "b"}, 404),
        ({"execution_id": 5, "message": "b"}, 422),
        ({"message": "b"}, 422),
        ({"execution_id": "TASK", "message": ""}, 400),
        ({"execution_id": "TASK"}, 400),
        ({"execution_id": "TASK", "message": 5}, 422),
        ("x", 422),
        ({"execution_id": "CANCELLED", "message": "b"}, 409),
    ],
)
async def test_continue_stores_all_or_none(api: RunningApi, second: Any, status: int) -> None:
    execution = await start_plan(api.http, kubiya_task(1), kubiya_task(2), kubiya_task(3))
    ids = await task_ids(api.http, execution)
    await api.ask(ids[1], "What?")
    await api.set_task(ids[3], state="cancelled")
    if isinstance(second, dict):
        names = {"TASK": ids[2], "CANCELLED": ids[3]}
        given = cast("dict[str, Any]", second)
        second = {key: names.get(value, value) if isinstance(value, str) else value for key, value in given.items()}
    responses = [{"execution_id": ids[1], "message": "a"}, second]
    answer = await api.http.post(f"{PLAN}/{execution}/continue", json={"responses": responses})
    assert answer.status_code == status, answer.text
    assert (await api.http.get(f"/baton/v1/tasks/{ids[1]}/messages")).json()["items"] == []
    assert (await api.http.get(f"/baton/v1/tasks/{ids[1]}")).json()["state"] == "waiting"


@pytest.mark.parametrize(
    ("body", "status"), [({}, 400), ({"responses": []}, 400), ({"responses": {}}, 422), ({"responses": None}, 400)]
)
async def test_continue_without_responses(api: RunningApi, body: Any, status: int) -> None:
    execution = await start_plan(api.http)
    assert (await api.http.post(f"{PLAN}/{execution}/continue", json=body)).status_code == status


async def waiting_plan(api: RunningApi, tasks: int) -> tuple[str, list[str]]:
    """A plan whose tasks wait, and their ids."""
    execution = await start_plan(api.http, *(kubiya_task(n) for n in range(1, tasks + 1)))
    ids = list((await task_ids(api.http, execution)).values())
    for task in ids:
        await api.ask(task, "What?")
    return execution, ids


async def test_continue_is_bounded_and_so_are_its_headers(api: RunningApi) -> None:
    execution, ids = await waiting_plan(api, 100)
    responses = [{"execution_id": task, "message": "a"} for task in ids]
    path = f"{PLAN}/{execution}/continue"
    refused = await api.http.post(path, json={"responses": [*responses, responses[0]]})
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "responses"])
    assert "100" in refused.json()["detail"][0]["msg"]
    assert (await api.http.get(f"/baton/v1/tasks/{ids[0]}/messages")).json()["items"] == []
    answer = await api.http.post(path, json={"responses": responses})
    assert (answer.status_code, answer.json()["messages_sent"]) == (200, 100)
    assert sum(len(name) + len(value) for name, value in answer.headers.raw) < 2048
    first = (await api.http.get(f"/baton/v1/tasks/{ids[0]}/messages")).json()["items"][0]["id"]
    assert answer.headers["baton-message-id"].split(", ")[0] == first


async def test_continue_counts_each_response(api: RunningApi) -> None:
    execution, ids = await waiting_plan(api, 6)
    client = api.client(await api.new_key(per_minute=5))
    responses = [{"execution_id": task, "message": "a"} for task in ids]
    path = f"{PLAN}/{execution}/continue"
    whole = await client.post(path, json={"responses": responses})
    assert (whole.status_code, "5" in whole.json()["detail"][0]["msg"]) == (422, True)
    three = await client.post(path, json={"responses": responses[:3]})
    assert (three.status_code, '"requests";r=1;' in three.headers["ratelimit"]) == (200, True)
    more = await client.post(path, json={"responses": responses[3:5]})
    assert (more.status_code, more.headers.get("retry-after") is not None) == (429, True)
    assert (await api.http.get(f"/baton/v1/tasks/{ids[3]}/messages")).json()["items"] == []


async def test_continue_takes_only_tasks_of_its_plan(api: RunningApi) -> None:
    execution, other = await start_plan(api.http), await start_plan(api.http)
    foreign = (await task_ids(api.http, other))[1]
    answer = await api.http.post(
        f"{PLAN}/{execution}/continue", json={"responses": [{"execution_id": foreign, "message": "a"}]}
    )
    assert answer.status_code == 404
    assert (await api.http.post(f"{PLAN}/{NOBODY}/continue", json={"responses": [dict[str, str]()]})).status_code in (
        404,
        422,
    )


async def test_a_single_task(api: RunningApi) -> None:
    agent = (await start_task(api.http))["agent"]
    for name in (agent["id"], str(agent["number"]), agent["name"]):
        answer = await api.http.post(
            f"/api/v1/agents/{name}/execute",
            json={"prompt": "!say hi\n!ask Which?", "worker_queue_id": "q", "stream": True, "user_metadata": {"a": 1}},
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        execution = body["execution_id"]
        task = (await task_ids(api.http, execution))[1]
        assert body == {
            "execution_id": execution,
            "workflow_id": f"task-{task}",
            "status": "running",
            "message": "The task is running.",
        }
    shown = await api.http.get(f"/api/v1/executions/{execution}")
    assert shown.headers["etag"] == '"1"'
    fields = shown.json()
    assert fields["id"] == execution
    assert fields["execution_type"] == "agent"
    assert fields["entity_id"] == agent["id"]
    assert (fields["status"], fields["prompt"]) == ("running", "!say hi\n!ask Which?")
    assert (fields["response"], fields["error_message"], fields["completed_at"]) == (None, None, None)
    assert fields["usage"] == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert all(fields[name] for name in ("created_at", "started_at", "updated_at"))
    listed = (await api.http.get("/api/v1/executions", params={"limit": 1, "agent_id": agent["id"]})).json()
    assert [item["id"] for item in listed] == [execution]
    assert set(listed[0]) == set(fields)
    assert (await api.http.get("/api/v1/executions", params={"status": "completed"})).json() == []
    assert (await api.http.get("/api/v1/executions", params={"status": "nonsense"})).status_code == 422
    assert (await api.http.get("/api/v1/executions", params={"agent_id": "nobody\x00"})).status_code == 404


async def test_a_message_to_a_single_task_and_to_a_plans_task(api: RunningApi) -> None:
    single = await start_task(api.http)
    plan = await start_plan(api.http, kubiya_task(4))
    in_plan = (await task_ids(api.http, plan))[4]
    for execution, belongs_to in (
        (single["id"], single["id"]),
        (in_plan, plan),
        (single["tasks"][0]["id"], single["id"]),
    ):
        answer = await api.http.post(f"/api/v1/executions/{execution}/message", json={"message": "x"})
        assert answer.status_code == 202
        assert answer.json() == {
            "success": True,
            "execution_id": execution,
            "message": "The message was accepted.",
            "message_id": answer.headers["baton-message-id"],
        }
        assert answer.headers["baton-execution-id"] == belongs_to
    assert (await api.http.post(f"/api/v1/executions/{NOBODY}/message", json={"message": "x"})).status_code == 404
    assert (await api.http.post(f"/api/v1/executions/{single['id']}/message", json={})).status_code == 400


async def test_a_message_to_a_plans_id_goes_to_the_task_that_waits(api: RunningApi) -> None:
    plan = await start_plan(api.http, kubiya_task(1), kubiya_task(2), kubiya_task(3))
    ids = await task_ids(api.http, plan)
    await api.ask(ids[2], "What?")
    answer = await api.http.post(f"/api/v1/executions/{plan}/message", json={"message": "x"})
    assert answer.status_code == 202
    (stored,) = (await api.http.get(f"/baton/v1/tasks/{ids[2]}/messages")).json()["items"]
    assert (stored["text"], stored["answers"]) == ("x", ["q1"])


async def test_a_single_task_is_a_plan_of_one_whatever_door_made_it(api: RunningApi) -> None:
    single = await start_task(api.http, "!ask What?")
    execution, task = single["id"], single["tasks"][0]["id"]
    shown = (await api.http.get(f"{PLAN}/{execution}")).json()
    assert (shown["status"], shown["total_tasks"], shown["waiting_tasks"]) == ("running", 1, [])
    listed = (await api.http.get(f"{PLAN}/plan-executions")).json()
    assert [item["execution_id"] for item in listed["executions"]] == [execution]
    await api.ask(task, "What?")
    (waits,) = (await api.http.get(f"{PLAN}/{execution}")).json()["waiting_tasks"]
    assert (waits["task_id"], waits["execution_id"], waits["question"]) == (1, task, "What?")
    sent = await api.http.post(f"{PLAN}/{execution}/tasks/1/message", json={"message": "x"})
    assert (sent.status_code, sent.json()["message_sent"]) == (200, True)
    await api.ask(task, "And?", "q2")
    body = {"responses": [{"execution_id": task, "message": "y"}]}
    assert (await api.http.post(f"{PLAN}/{execution}/continue", json=body)).json()["task_ids"] == [1]
    assert len((await api.http.get(f"/baton/v1/tasks/{task}/messages")).json()["items"]) == 2


async def test_a_pending_task_needs_no_telling(api: RunningApi) -> None:
    """Temporal is away: who answers a running task is told so, who writes to a pending one has nothing to wait for."""
    plan = await start_plan(api.http, kubiya_task(1), kubiya_task(2, 1))
    ids = await task_ids(api.http, plan)
    await api.set_task(ids[1], state="running")
    for position, told in ((1, False), (2, True)):
        answer = await api.http.post(f"{PLAN}/{plan}/tasks/{position}/message", json={"message": "x"})
        assert answer.json()["workflow_signaled"] is told


async def test_what_is_over_is_not_paused_and_that_is_no_error(api: RunningApi) -> None:
    single = await start_task(api.http)
    plan = await start_plan(api.http, kubiya_task(1))
    for task in (single["tasks"][0]["id"], *(await task_ids(api.http, plan)).values()):
        await api.set_task(task, state="succeeded")
    async with api.pool.connection() as connection:
        await connection.execute(
            "UPDATE executions SET state = 'succeeded' WHERE tenant_id = $1", await api.tenant_id()
        )
    for execution in (single["id"], plan):
        for verb in ("pause", "resume", "cancel"):
            answer = await api.http.post(f"/api/v1/executions/{execution}/{verb}")
            assert answer.status_code == 200
            body = answer.json()
            assert body.pop("error")
            assert body == {"success": False, "execution_id": execution, "status": "completed"}


async def test_pause_resume_cancel(api: RunningApi) -> None:
    single = (await start_task(api.http))["id"]
    plan = await start_plan(api.http, kubiya_task(1), kubiya_task(2))
    ids = await task_ids(api.http, plan)
    for n in ids:
        await api.set_task(ids[n], state="running")
    for execution in (single, ids[1], plan):
        resumed = ("resume", "running")
        for verb, status in (("pause", "paused"), resumed, resumed, ("cancel", "cancelled")):
            answer = await api.http.post(f"/api/v1/executions/{execution}/{verb}")
            assert answer.status_code == 200, answer.text
            body = answer.json()
            assert (body["success"], body["execution_id"]) == (True, execution)
            if not (execution == ids[1] and verb != "cancel"):
                assert body["status"] == status
        assert (await api.http.get(f"/api/v1/executions/{execution}")).json()["status"] == "cancelled"
    assert (await api.http.post(f"/api/v1/executions/{NOBODY}/cancel")).status_code == 404


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"plan": None}, ["body", "plan"]),
        ({"plan": []}, ["body", "plan"]),
        ({"worker_queue_id": None}, ["body", "worker_queue_id"]),
        ({"worker_queue_id": ""}, ["body", "worker_queue_id"]),
        ({"worker_queue_id": 5}, ["body", "worker_queue_id"]),
        ({"worker_queue_id": "q" * 1001}, ["body", "queue"]),
        ({"agent_id": True}, ["body", "agent_id"]),
        ({"plan_generation_id": 5}, ["body", "plan_generation_id"]),
        ({"plan": {"tasks": []}}, ["body", "plan"]),
        ({"plan": kubiya_plan(kubiya_task(1, 2))}, ["body", "plan", "team_breakdown", 0, "tasks", 0, "dependencies"]),
        ({"plan": kubiya_plan(kubiya_task(1) | {"id": "a"})}, ["body", "plan", "team_breakdown", 0, "tasks", 0, "id"]),
    ],
)
async def test_a_plan_that_does_not_fit(api: RunningApi, change: Any, loc: list[Any]) -> None:
    body = {"plan": kubiya_plan(), "worker_queue_id": "q"} | change
    answer = await api.http.post(f"{PLAN}/execute", json={k: v for k, v in body.items() if v is not None})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][: len(loc)] == loc
    assert (await api.http.get(f"{PLAN}/plan-executions")).json()["total"] == 0


async def test_an_unknown_agent_starts_nothing(api: RunningApi) -> None:
    for agent in (NOBODY, 2**40, "nobody", 2**62):
        body = {"plan": kubiya_plan(), "worker_queue_id": "q", "agent_id": agent}
        assert (await api.http.post(f"{PLAN}/execute", json=body)).status_code == 404
        body = {"prompt": "x", "worker_queue_id": "q"}
        assert (await api.http.post(f"/api/v1/agents/{agent}/execute", json=body)).status_code == 404
    assert (await api.http.get(f"{PLAN}/plan-executions")).json()["total"] == 0
    assert (await api.http.get("/api/v1/executions")).json() == []


async def test_unknown_paths_and_wrong_methods_answer_in_kubiyas_shape(api: RunningApi) -> None:
    for method, path, status in (
        ("GET", f"{PLAN}/a/b/c", 404),
        ("GET", PLAN, 404),
        ("PATCH", f"{PLAN}/{NOBODY}", 405),
        ("POST", f"{PLAN}/events/{NOBODY}", 404),
        ("DELETE", "/api/v1/executions", 405),
        ("GET", "/api/v1/agents/1/execute", 405),
        ("GET", "/api/v1/executions/", 404),
    ):
        answer = await api.http.request(method, path)
        assert answer.status_code == status
        assert list(answer.json()) == ["detail"]
        assert ("allow" in answer.headers) == (status == 405)


async def test_keys_that_look_misspelt_are_warned_of(api: RunningApi) -> None:
    body = {"plan": kubiya_plan(kubiya_task(1), kubiya_task(2, depend_on=[1])), "worker_queue_id": "q"}
    answer = await api.http.post("/api/v1/tasks/plan/execute", json=body)
    assert answer.status_code == 201
    assert answer.json()["warnings"] == ["task 2 has an unknown key 'depend_on'; did you mean 'depends_on'?"]
    body["plan"] = kubiya_plan(kubiya_task(1))
    assert "warnings" not in (await api.http.post("/api/v1/tasks/plan/execute", json=body)).json()
