"""Lists: what narrows them does, and what would not is refused."""

from uuid import uuid4

import pytest
from fastapi.routing import APIRoute

from api.dialects import all_dialects
from api.query import refuse_unserved
from tests.dialects.requests import reply, start_task
from tests.hostile.shapes import is_in_shape
from tests.support.api import RunningApi


async def test_executions_of_asteroids_are_found_by_their_metadata(api: RunningApi) -> None:
    agent = (await start_task(api.http))["tasks"][0]["agent"]["id"]
    made: list[str] = []
    for metadata in ({"trace": "a", "n": 5}, {"trace": "b"}, {"trace": ["a"]}, {"other": {"trace": "a"}}):
        answer = await api.http.post(f"/agents/v2/agents/{agent}/execute", json={"metadata": metadata})
        made.append(answer.json()["executionId"])

    async def listed(key: str, value: str, **more: str) -> list[int]:
        query = {"metadataKey": key, "metadataValue": value, **more}
        answer = await api.http.get("/agents/v2/executions", params=query)
        assert answer.status_code == 200, answer.text
        items = answer.json()["items"]
        assert answer.json()["total"] == len(items)
        return [made.index(item["id"]) for item in items]

    assert await listed("trace", "a") == [0]
    assert await listed("trace", "a", executionId=made[1]) == []
    assert await listed("trace", "b", status="running") == [1]
    assert await listed("n", "5") == [0]
    assert await listed("trace", "A") == await listed("nothing", "") == []
    alone = await api.http.get("/agents/v2/executions", params={"metadataValue": "a"})
    assert (alone.status_code, "metadataKey" in alone.json()["message"]) == (400, True)
    for name in ("metadataKey", "metadataValue"):
        query = {"metadataKey": "a", "metadataValue": "a", name: "\x00"}
        assert (await api.http.get("/agents/v2/executions", params=query)).status_code == 400


async def _named_agents(api: RunningApi) -> list[str]:
    """The names of the tenant's agents, in order; two of them were made here."""
    for name in ("Café Porter", "porter 2"):
        made = await api.http.post("/baton/v1/agents", json={"name": name, "model": "scripted"})
        assert made.status_code == 201
    return [agent["name"] for agent in (await api.http.get("/baton/v1/agents")).json()["items"]]


async def test_asteroids_agents_are_a_page(api: RunningApi) -> None:
    names = await _named_agents(api)
    page = (await api.http.get("/agents/v2/agents", params={"pageSize": 2, "page": 2})).json()
    assert [item["name"] for item in page["items"]] == names[2:]
    assert (page["page"], page["pageSize"], page["total"]) == (2, 2, 3)
    assert page["items"][0].keys() == {"id", "name", "createdAt", "organizationId", "userId"}
    found = (await api.http.get("/agents/v2/agents", params={"searchName": "CAFÉ"})).json()
    assert ([item["name"] for item in found["items"]], found["total"]) == (["Café Porter"], 1)
    started = await api.http.post(f"/agents/v2/agents/{found['items'][0]['id']}/execute", json={})
    assert started.status_code == 202
    assert (await api.http.get("/agents/v2/agents", params={"searchName": "\x00"})).status_code == 400


async def test_kubiyas_agents_are_searched_and_read(api: RunningApi) -> None:
    names = await _named_agents(api)

    async def listed(**query: str | int) -> list[str]:
        answer = await api.http.get("/api/v1/agents", params=query)
        assert answer.status_code == 200, answer.text
        return [agent["name"] for agent in answer.json()]

    assert await listed(limit=2, offset=1) == await listed(limit=2, skip=1) == names[1:3]
    assert await listed(search="PORTER") == names[1:]
    assert await listed(status_filter="idle") == names
    assert await listed(status_filter="running") == []
    one = (await api.http.get("/api/v1/agents")).json()[1]
    assert (await api.http.get(f"/api/v1/agents/{one['id']}")).json() == one
    unknown = await api.http.get(f"/api/v1/agents/{uuid4()}")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "there is no such agent"})


async def test_maias_tasks_are_listed_by_project_and_branch(api: RunningApi) -> None:
    async def made(**config: str) -> str:
        body = {"agentConfig": {"name": "data_engineer_agent", **config}, "message": "!say hello"}
        return str((await api.http.post("/v1/ai/agents/tasks", json=body)).json()["taskId"])

    async def listed(**query: str) -> list[str]:
        answer = await api.http.get("/v1/ai/agents/tasks", params=query)
        assert answer.status_code == 200, answer.text
        tasks = answer.json()["tasks"]
        assert answer.json()["total"] == len(tasks)
        return [task["taskId"] for task in tasks]

    await made()
    one = await made(projectId="p1", sourceBranchName="main")
    two = await made(projectId="p1", sourceBranchName="next")
    assert await listed(projectId="p1") == [two, one]
    assert await listed(projectId="p1", branchId="main", status="RUNNING") == [one]
    assert await listed(branchId="p1") == await listed(projectId="p2") == await listed(projectId="") == []


#: Lists of all dialects; the paths take a task's ids.
LISTS = [
    ("asteroid", "/agents/v2/executions"),
    ("asteroid", "/agents/v2/agents"),
    ("asteroid", "/agents/v2/executions/{execution}/activities"),
    ("kubiya", "/api/v1/agents"),
    ("kubiya", "/api/v1/executions"),
    ("kubiya", "/api/v1/tasks/plan/plan-executions"),
    ("twill", "/api/v1/tasks"),
    ("twill", "/api/v1/tasks/{task}/jobs"),
    ("maia", "/v1/ai/agents/tasks"),
    ("maia", "/v1/ai/agents/tasks/{task}/messages"),
    ("chat_tasks", "/v1/chat/tasks/{number}/steps"),
    ("baton", "/baton/v1/executions"),
    ("baton", "/baton/v1/tasks"),
    ("baton", "/baton/v1/agents"),
    ("baton", "/baton/v1/keys"),
    ("baton", "/baton/v1/tasks/{task}/messages"),
]


def test_whatever_has_query_parameters_refuses_others() -> None:
    checked = 0
    for route in (route for dialect in all_dialects() for route in dialect.app.routes):
        if isinstance(route, APIRoute):
            parameters = (route.openapi_extra or {}).get("parameters", ())
            if route.dependant.query_params or any(parameter["in"] == "query" for parameter in parameters):
                assert refuse_unserved in [needed.call for needed in route.dependant.dependencies], route.path
                checked += 1
    assert checked > len(all_dialects())


@pytest.mark.parametrize(("dialect", "path"), LISTS)
async def test_what_a_list_does_not_serve_is_refused_by_name(api: RunningApi, dialect: str, path: str) -> None:
    started = await start_task(api.http)
    task = started["tasks"][0]
    url = path.format(execution=started["id"], task=task["id"], number=task["number"])
    assert (await api.http.get(url)).status_code == 200
    answer = await api.http.get(url, params={"createdAfter": "2030-01-01"})
    assert answer.status_code in (400, 422)
    assert "createdAfter" in answer.text
    assert is_in_shape(dialect, reply(answer))
    nobody = await api.client(None).get(url, params={"createdAfter": "2030-01-01"})
    assert nobody.status_code == 401


#: A parameter that each list serves once.
ONCE = {
    "/agents/v2/executions": "agentId",
    "/agents/v2/agents": "searchName",
    "/agents/v2/executions/{execution}/activities": "order",
    "/api/v1/executions": "status",
    "/api/v1/tasks/plan/plan-executions": "status",
    "/v1/ai/agents/tasks": "status",
    "/v1/ai/agents/tasks/{task}/messages": "paginationToken",
    "/v1/chat/tasks/{number}/steps": "cursor",
    "/api/v1/agents": "search",
    "/api/v1/tasks": "cursor",
    "/api/v1/tasks/{task}/jobs": "cursor",
}


@pytest.mark.parametrize(("dialect", "path"), LISTS)
async def test_a_parameter_that_is_given_twice_is_refused_unless_it_is_a_list(
    api: RunningApi, dialect: str, path: str
) -> None:
    started = await start_task(api.http)
    task = started["tasks"][0]
    url = path.format(execution=started["id"], task=task["id"], number=task["number"])
    name = ONCE.get(path, "limit")
    answer = await api.http.get(url, params={name: ["1", "2"]})
    assert answer.status_code in (400, 422)
    assert f"{name} may be given only once" in answer.text
    assert is_in_shape(dialect, reply(answer))


@pytest.mark.parametrize(
    ("path", "name"),
    [("/agents/v2/executions", "status"), ("/baton/v1/executions", "state"), ("/baton/v1/tasks", "state")],
)
async def test_a_list_of_states_is_given_state_by_state(api: RunningApi, path: str, name: str) -> None:
    started = await start_task(api.http)
    answer = await api.http.get(path, params={name: ["failed", "running"]})
    found = {item[key] for item in answer.json()["items"] for key in ("id", "execution_id") if key in item}
    assert started["id"] in found
