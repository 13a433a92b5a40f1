"""What vendors' clients ask before anything else, and what they poll."""

from uuid import uuid4

import pytest

from tests.dialects.requests import start_task
from tests.support.api import RunningApi


async def test_kubiyas_agents_are_an_array(api: RunningApi) -> None:
    (agent,) = (await api.http.get("/baton/v1/agents")).json()["items"]
    (shown,) = (await api.http.get("/api/v1/agents")).json()
    assert (shown["id"], shown["name"], shown["model_id"]) == (agent["id"], agent["name"], agent["model"])


async def test_twills_repositories_are_none(api: RunningApi) -> None:
    assert (await api.http.get("/api/v1/repositories")).json() == {"repositories": []}


async def test_an_execution_of_asteroids_is_polled_to_its_result(api: RunningApi) -> None:
    started = await start_task(api.http)
    path = f"/api/v1/execution/{started['id']}"
    status = (await api.http.get(f"{path}/status")).json()
    assert status.pop("updated_at")
    assert status == {"execution_id": started["id"], "status": "running"}
    assert (await api.http.get(f"{path}/result")).json() == {}
    for state, error, told in (("succeeded", None, "execution_result"), ("failed", "x", "error")):
        await api.set_task(started["tasks"][0]["id"], state=state, result="r", error_code=error)
        async with api.pool.connection() as connection:
            await connection.execute(
                "UPDATE executions SET state = $2 WHERE tenant_id = $1", await api.tenant_id(), state
            )
        assert list((await api.http.get(f"{path}/result")).json()) == [told]
    assert (await api.http.get(f"{path}/status")).json()["reason"] == "x"


async def test_one_execution_of_asteroids_is_found_in_its_list(api: RunningApi) -> None:
    async def listed(**query: str) -> list[str]:
        answer = await api.http.get("/agents/v2/executions", params=query)
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == len(answer.json()["items"])
        return [item["id"] for item in answer.json()["items"]]

    await start_task(api.http)
    started = await start_task(api.http)
    one, agent = started["id"], started["tasks"][0]["agent"]["name"]
    assert await listed(executionId=one) == [one]
    assert await listed(executionId=one, status="running", agentId=agent) == [one]
    assert await listed(executionId=one, status="failed") == []
    assert await listed(executionId=one[9:23].upper()) == [one]
    assert await listed(executionId=one.upper()) == [one]
    strange = await api.http.get("/agents/v2/executions", params={"executionId": one, "agentId": "another"})
    assert strange.status_code == 404
    for nothing in (str(uuid4()), "x", "%00"):
        assert await listed(executionId=nothing) == []
    foreign = await api.client(api.other_key).get("/agents/v2/executions", params={"executionId": one})
    assert foreign.json()["items"] == []


@pytest.mark.parametrize("name", ["metadataKey", "createdAfter", "nonsense"])
async def test_a_filter_that_is_not_served_is_refused_by_name(api: RunningApi, name: str) -> None:
    answer = await api.http.get("/agents/v2/executions", params={name: "x"})
    assert answer.status_code == 400
    assert name in answer.json()["message"]
