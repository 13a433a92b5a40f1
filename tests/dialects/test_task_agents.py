"""A plan whose tasks have agents of their own: who does what, and what keys for one of these agents see of it."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.dialects.commands import Command
from tests.dialects.requests import Json, kubiya_plan, kubiya_task, start_plan
from tests.support.api import RunningApi
from tests.support.frames import everything

V1 = "/baton/v1"


async def agent(api: RunningApi, name: str, **more: Any) -> Json:
    """Another agent of the tenant."""
    made = await api.http.post(f"{V1}/agents", json={"name": name, "model": "scripted"} | more)
    assert made.status_code == 201, made.text
    return made.json()


def tasks(*agents: object) -> list[Json]:
    """Tasks of a plan in the plain form, numbered from 1, with these agents; None names none."""
    return [
        {"id": n, "title": f"T{n}", "description": "!ask Go?"} | ({} if name is None else {"agent": name})
        for n, name in enumerate(agents, 1)
    ]


async def start(http: httpx.AsyncClient, *agents: object, **body: Any) -> Json:
    """Start a plan of such tasks; the execution."""
    answer = await http.post(f"{V1}/executions", json={"plan": {"title": "P", "tasks": tasks(*agents)}} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def agents_of(execution: Json) -> list[str]:
    """The names of the agents of an execution's tasks, by position."""
    return [task["agent"]["name"] for task in execution["tasks"]]


async def test_tasks_have_the_agents_that_they_name(api: RunningApi) -> None:
    writer, editor = await agent(api, "writer"), await agent(api, "editor")
    made = await start(api.http, None, "writer", editor["number"], str(writer["id"]), agent="editor")
    assert made["agent"]["name"] == "editor"
    assert agents_of(made) == ["editor", "writer", "editor", "writer"]
    assert (await api.http.get(f"{V1}/executions/{made['id']}")).json()["tasks"] == made["tasks"]
    for task in made["tasks"]:
        told = (await api.http.get(f"{V1}/tasks/{task['id']}/explain")).json()
        assert told["agent"] == task["agent"]
    kubiya = await start_plan(api.http, kubiya_task(1), kubiya_task(2, agent="writer"))
    seen = (await api.http.get(f"{V1}/executions/{kubiya}")).json()
    assert agents_of(seen) == [seen["agent"]["name"], "writer"]


async def test_where_all_tasks_name_one_it_is_the_plans(api: RunningApi) -> None:
    writer = await agent(api, "writer")
    bound = api.client(await api.new_key(agent_number=writer["number"]))
    made = await start(api.http, "writer", "writer")
    assert made["agent"]["name"] == "writer"
    assert (await bound.get(f"{V1}/executions/{made['id']}")).status_code == 200
    assert agents_of(await start(bound, "writer", None)) == ["writer", "writer"]


async def test_a_repeat_is_told_the_agents_of_the_first(api: RunningApi) -> None:
    await agent(api, "writer")
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"plan": {"title": "P", "tasks": tasks(None, "writer")}}
    first, again = [await api.http.post(f"{V1}/executions", json=body, headers=headers) for _ in range(2)]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    other = {"plan": {"title": "P", "tasks": tasks("writer", "writer")}}
    assert (await api.http.post(f"{V1}/executions", json=other, headers=headers)).json()[
        "code"
    ] == "idempotency_key_reused"
    assert len((await api.http.get(f"{V1}/executions")).json()["items"]) == 1


async def test_an_agent_that_is_not_there_is_named(api: RunningApi) -> None:
    await agent(api, "writer")
    body = {"plan": {"title": "P", "tasks": tasks("writer", "wirter", 2**40, str(uuid4()))}}
    refused = await api.http.post(f"{V1}/executions", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_plan")
    assert refused.json()["detail"] == "task 2: there is no agent 'wirter'; did you mean 'writer'?"
    assert [problem["where"][-3:] for problem in refused.json()["problems"]] == [
        ["tasks", n, "agent"] for n in (1, 2, 3)
    ]
    plan = {"plan": kubiya_plan(kubiya_task(1, agent="wirter")), "worker_queue_id": "q"}
    (told,) = (await api.http.post("/api/v1/tasks/plan/execute", json=plan)).json()["detail"]
    assert "did you mean 'writer'?" in told["msg"]
    assert told["loc"][-3:] == ["tasks", 0, "agent"]
    assert (await api.http.get(f"{V1}/executions")).json()["items"] == []


async def test_a_file_is_told_the_line(api: RunningApi, baton: Command) -> None:
    await agent(api, "writer")
    text = "title: P\ntasks:\n- id: 1\n  title: T\n  description: d\n  agent: wirter\n"
    done = await baton("run", "-", stdin=text)
    assert done.code == 4, done
    assert "line 6" in done.err
    assert "did you mean 'writer'?" in done.err


async def test_a_key_for_one_agent_names_no_other(api: RunningApi) -> None:
    writer = await agent(api, "writer")
    await agent(api, "editor")
    bound = api.client(await api.new_key(agent_number=writer["number"]))
    answers = [
        await bound.post(f"{V1}/executions", json={"plan": {"title": "P", "tasks": tasks("writer", name)}})
        for name in ("editor", "nobody", "editr")
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert [answer.json()["detail"] for answer in answers] == [
        f"task 2: there is no agent {name!r}" for name in ("editor", "nobody", "editr")
    ]
    assert (await api.http.get(f"{V1}/executions")).json()["items"] == []


@pytest.mark.parametrize("whose", ["the plan's", "a task's"])
async def test_of_a_shared_plan_a_key_sees_its_own_tasks(api: RunningApi, whose: str) -> None:
    """The plan, its log and the others' tasks are as if they were not there; its own are answered as ever."""
    writer, editor = await agent(api, "writer"), await agent(api, "editor")
    mine, other = (writer, editor) if whose == "the plan's" else (editor, writer)
    bound = api.client(await api.new_key(agent_number=mine["number"]))
    made = await start(api.http, "writer", "editor", agent="writer")
    own, others = (task["id"] for task in sorted(made["tasks"], key=lambda task: task["agent"]["id"] != mine["id"]))
    positions = {task["id"]: task["position"] for task in made["tasks"]}
    for task in (own, others):
        await api.ask(task, "Go?", question=f"q-{task}")
    plan = made["id"]
    for method, path in (
        ("GET", f"{V1}/executions/{plan}"),
        ("GET", f"{V1}/executions/{plan}/events"),
        ("GET", f"{V1}/executions/{plan}/export"),
        ("POST", f"{V1}/executions/{plan}/cancel"),
        ("POST", f"{V1}/executions/{plan}/pause"),
        ("GET", f"/api/v1/tasks/plan/{plan}"),
        ("GET", f"/api/v1/tasks/plan/{plan}/stream"),
        ("GET", f"/api/v1/executions/{plan}"),
        ("GET", f"/agents/v2/executions/{plan}"),
        ("GET", f"/agents/v2/executions/{plan}/activities"),
        ("GET", f"{V1}/tasks/{others}"),
        ("GET", f"{V1}/tasks/{others}/events"),
        ("GET", f"{V1}/tasks/{others}/explain"),
        ("POST", f"{V1}/tasks/{others}/cancel"),
        ("GET", f"/api/v1/executions/{others}"),
    ):
        answer = await bound.request(method, path)
        assert answer.status_code == 404, (path, answer.text)
        assert other["name"] not in answer.text
    for path, body in (
        (f"{V1}/tasks/{others}/messages", {"text": "x"}),
        (f"/api/v1/tasks/plan/{plan}/tasks/{positions[others]}/message", {"message": "x"}),
        (f"/agents/v2/executions/{plan}/user-messages", {"message": "x"}),
        (f"/api/v1/executions/{plan}/message", {"message": "x"}),
    ):
        assert (await bound.post(path, json=body)).status_code == 404, path
    for path in (f"{V1}/executions", "/agents/v2/executions", "/api/v1/tasks/plan/plan-executions"):
        assert plan not in (await bound.get(path)).text
        assert plan in (await api.http.get(path)).text
    (listed,) = (await bound.get(f"{V1}/tasks")).json()["items"]
    (waiting,) = (await bound.get(f"{V1}/tasks?state=waiting")).json()["items"]
    assert (listed["id"], waiting["id"]) == (own, own)
    answered = await bound.post(f"/api/v1/tasks/plan/{plan}/tasks/{positions[own]}/message", json={"message": "yes"})
    assert answered.status_code == 200, answered.text
    await bound.post(f"{V1}/tasks/{own}/cancel")
    await api.http.post(f"{V1}/executions/{plan}/cancel")
    frames = await everything(bound, f"{V1}/tasks/{own}/events")
    assert {frame.data["task_id"] for frame in frames if frame.event != "end"} == {own}
    assert "task.cancelled" in [frame.event for frame in frames]
    assert others not in str(frames)
    whole = await everything(api.http, f"{V1}/tasks/{own}/events")
    assert {None, own} == {frame.data.get("task_id") for frame in whole if frame.event != "end"}


async def test_a_list_by_agent_has_what_a_plan_shares(api: RunningApi) -> None:
    """Who may see all, and asks for one agent's executions, gets those that are shown as that agent's."""
    writer = await agent(api, "writer")
    await agent(api, "editor")
    made = await start(api.http, None, "editor", agent="writer")
    listed = (await api.http.get(f"/agents/v2/executions?agentId={writer['id']}")).json()
    assert [(one["id"], one["agentId"]) for one in listed["items"]] == [(made["id"], writer["id"])]
    assert listed["total"] == 1


async def test_what_a_task_needs_is_named_to_who_may_see_it(api: RunningApi) -> None:
    writer = await agent(api, "writer")
    bound = api.client(await api.new_key(agent_number=writer["number"]))
    plan = [*tasks(None), {"id": 2, "title": "T2", "description": "d", "agent": "writer", "depends_on": [1]}]
    made = (await api.http.post(f"{V1}/executions", json={"plan": {"title": "P", "tasks": plan}})).json()
    for http, title in ((api.http, "T1"), (bound, None)):
        (reason,) = (await http.get(f"{V1}/tasks/{made['tasks'][1]['id']}/explain")).json()["reasons"][:1]
        assert (reason["code"], reason["data"]["title"]) == ("needs_task", title)


async def test_a_tasks_agent_is_not_told_what_its_plan_was_started_with(api: RunningApi) -> None:
    """Nor is it by a filter; the plan itself, which its key does not see, shows it."""
    writer = await agent(api, "writer")
    bound = api.client(await api.new_key(agent_number=writer["number"]))
    secret: Json = {"agentConfig": {"name": "x", "projectId": "hush"}, "userIntent": "hush"}
    shared = await start(api.http, None, "writer", metadata=secret)
    own = await start(api.http, "writer", "writer", metadata=secret)
    assert (await api.http.get(f"{V1}/executions/{shared['id']}")).json()["metadata"] == secret
    assert (await bound.get(f"{V1}/executions/{shared['id']}")).status_code == 404
    for execution, is_told in ((shared, False), (own, True)):
        task = execution["tasks"][1]
        paths = (f"/v1/ai/agents/tasks/{task['id']}", f"/api/v1/tasks/{task['id']}/jobs", f"{V1}/tasks/{task['id']}")
        shown = [await bound.get(path) for path in paths]
        assert {answer.status_code for answer in shown} == {200}, [answer.text for answer in shown]
        assert any("hush" in answer.text for answer in shown) is is_told
    listed = (await bound.get("/v1/ai/agents/tasks?projectId=hush")).text
    assert (own["tasks"][1]["id"] in listed, shared["tasks"][1]["id"] in listed) == (True, False)
