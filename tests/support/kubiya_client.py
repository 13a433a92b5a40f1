"""A program that works with Kubiya's published Python SDK, by its own calls as far as it has them.

It is run by a Python that has that SDK (`kubiya`) and nothing of ours. Its arguments: the API's root, a key, the task
queue, the uuid of an agent and its name. The SDK has no calls for executions and plans: these go through its
`make_request`, with its session, its headers, its errors and its reader of streams. It prints what it was told, as one
line of JSON.
"""

import importlib
import json
import sys
import time
from typing import Any

#: Ours does not have it.
kubiya: Any = importlib.import_module("kubiya.client")
control_plane: Any = importlib.import_module("kubiya.control_plane_client")

PROMPT = '!say Let me see.\n!ask {"question": "Which region?", "choices": ["Europe", "Asia"]}\n!finish Done.'


class Walk:
    """One of the SDK's two clients at work."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def read(self, path: str) -> Any:
        return self.client.make_request("GET", path).json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.client.make_request("POST", path, data=body).json()

    def wait_for(self, path: str, status: str) -> Any:
        deadline = time.monotonic() + 60
        while (found := self.read(path))["status"] != status:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found


def workflows_client(url: str, key: str, queue: str, agent: str, name: str) -> dict[str, Any]:
    """The older client: agents, a single task, its stream."""
    client = kubiya.KubiyaClient(api_key=key, base_url=url, max_retries=0)
    walk = Walk(client)
    listed = [one["id"] for one in client.list_agents()]
    found = [one["id"] for one in client.list_agents(limit=1, offset=0, search=name.upper())]
    started = client.execute_agent(agent, PROMPT, stream=False, worker_queue_id=queue)
    path = f"/api/v1/executions/{started['execution_id']}"
    walk.wait_for(path, "waiting_for_input")
    walk.post(f"{path}/message", {"message": "Europe"})
    done = walk.wait_for(path, "completed")
    texts = ""
    statuses: list[str] = []
    # Its reader gives what is after `data:` as text, and every line once more as it is.
    for line in client.make_request("GET", f"{path}/stream", stream=True):
        if not isinstance(line, str) or not line.startswith("{"):
            continue
        data = json.loads(line)
        if data.get("role") == "assistant":
            texts += data["content"]
        elif "status" in data:
            statuses.append(data["status"])
    # Told to stream the start, it reads the one answer as a stream.
    (streamed,) = client.execute_agent(agent, "!say hello", worker_queue_id=queue)
    return {
        "listed": agent in listed,
        "found": found == [agent],
        "streamed": isinstance(streamed, dict) and "execution_id" in streamed,
        "response": done["response"],
        "texts": texts,
        "statuses": statuses,
    }


def control_plane_client(url: str, key: str, queue: str, agent: str, name: str) -> dict[str, Any]:
    """The newer client: agents, a single task, a plan."""
    client = control_plane.ControlPlaneClient(api_key=key, base_url=url, max_retries=0)
    walk = Walk(client)
    listed = [one["id"] for one in client.agents.list(skip=0, limit=100)]
    idle = [one["id"] for one in client.agents.list(status_filter="idle")]
    assert client.agents.list(skip=1000) == []
    one = client.agents.get(agent)
    started = client.agents.execute(agent, {"prompt": PROMPT, "worker_queue_id": queue})
    single = f"/api/v1/executions/{started['execution_id']}"
    walk.wait_for(single, "waiting_for_input")
    cancelled = walk.post(f"{single}/cancel", {})

    tasks: list[dict[str, Any]] = [
        {"id": 1, "title": "One", "description": PROMPT, "details": "", "dependencies": []},
        {"id": 2, "title": "Two", "description": "!say second", "details": "", "dependencies": [1]},
    ]
    plan: dict[str, Any] = {"title": "A plan", "team_breakdown": [{"team_id": "t", "team_name": "T", "tasks": tasks}]}
    execution = walk.post("/api/v1/tasks/plan/execute", {"plan": plan, "worker_queue_id": queue})["execution_id"]
    path = f"/api/v1/tasks/plan/{execution}"
    waiting = walk.wait_for(path, "pending_user_input")["waiting_tasks"][0]
    sent = walk.post(f"{path}/tasks/1/message", {"message": "Europe"})
    done = walk.wait_for(path, "completed")
    names = [
        line.decode().removeprefix("event: ")
        for line in client.make_request("GET", f"{path}/stream", stream=True).iter_lines()
        if line.startswith(b"event: ")
    ]
    refused: dict[str, str] = {}
    for what, tried in (
        ("unknown", lambda: client.agents.get("00000000-0000-4000-8000-000000000000")),
        ("empty", lambda: walk.post(f"{path}/tasks/1/message", {"message": ""})),
        ("stranger", lambda: control_plane.ControlPlaneClient(api_key="x", base_url=url, max_retries=0).agents.list()),
    ):
        try:
            tried()
        except Exception as error:  # noqa: BLE001
            refused[what] = str(error)
    return {
        "listed": agent in listed and listed == idle,
        "read": one["id"] == agent,
        "cancelled": cancelled["status"],
        "question": waiting["question"],
        "signaled": sent["workflow_signaled"],
        "completed": done["completed_tasks"],
        "names": names,
        "refused": refused,
    }


if __name__ == "__main__":
    told = {walk.__name__: walk(*sys.argv[1:]) for walk in (workflows_client, control_plane_client)}
    print(json.dumps(told, default=str))
