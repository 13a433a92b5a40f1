"""Misspelt names: refused over HTTP by what a real worker has, and what is taken holds when the agent runs."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.api import RunningApi
from tests.support.system import eventually
from tests.support.tools import calls_of

Json = dict[str, Any]


async def create(api: RunningApi, policies: Json) -> tuple[int, Json]:
    """What the API says to an agent that may call `refund` under these policies."""
    body = {"name": f"clerk-{uuid4()}", "model": "scripted", "tools": ["refund"], "policies": policies}
    answer = await api.http.post("/baton/v1/agents", json=body)
    return answer.status_code, answer.json()


async def run(api: RunningApi, agent: Json) -> Json:
    """A task whose agent wants a refund, as soon as it rests."""
    prompt = '!tool refund {"order": "7"}'
    started = await api.http.post("/baton/v1/executions", json={"prompt": prompt, "agent": agent["number"]})
    path = f"/baton/v1/tasks/{started.json()['tasks'][0]['id']}"

    async def rests() -> Json | None:
        task = (await api.http.get(path)).json()
        return task if task["state"] != "running" else None

    return await eventually(rests)


@pytest.mark.parametrize(("name", "policy"), [("refnd", "ask"), ("Refund", "deny")])
async def test_a_policy_that_names_no_tool_is_refused(api: RunningApi, name: str, policy: str) -> None:
    status, problem = await create(api, {name: policy})
    assert (status, problem["problems"]) == (
        422,
        [
            {
                "where": ["body", "policies", name],
                "message": f"no worker has a tool {name!r}; did you mean 'refund'?",
                "kind": "unknown_name",
            }
        ],
    )


async def test_a_pattern_that_is_taken_holds(api: RunningApi) -> None:
    for policy, state, calls in (
        ("deny", "succeeded", []),
        ("ask", "waiting", []),
        ("allow", "succeeded", [("refund", "7")]),
    ):
        status, agent = await create(api, {"ref*": policy})
        assert (status, "warnings" in agent) == (201, False)
        task = await run(api, agent)
        assert (policy, task["state"], calls_of(task["id"])) == (policy, state, calls)
