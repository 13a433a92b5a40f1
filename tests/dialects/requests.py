"""What the tests send again and again."""

from typing import Any, cast

import httpx

from tests.hostile.wire import Reply

Json = dict[str, Any]


def kubiya_task(number: int, *needs: int, **more: Any) -> Json:
    """A task as Kubiya's planner writes it."""
    return {
        "id": number,
        "title": f"Task {number}",
        "description": f"!say {number}",
        "details": "",
        "dependencies": list(needs),
        "priority": "medium",
        "estimated_time_hours": 1,
    } | more


def kubiya_plan(*tasks: Json, title: str = "A plan") -> Json:
    """A plan as Kubiya's planner writes it."""
    return {
        "title": title,
        "summary": "What is to be done",
        "complexity": {"story_points": 3},
        "team_breakdown": [{"team_id": "t", "team_name": "Team", "tasks": list(tasks or (kubiya_task(1),))}],
    }


async def start_plan(http: httpx.AsyncClient, *tasks: Json, **body: Any) -> str:
    """Start a plan by Kubiya's call; its execution's id."""
    answer = await http.post(
        "/api/v1/tasks/plan/execute", json={"plan": kubiya_plan(*tasks), "worker_queue_id": "queue"} | body
    )
    assert answer.status_code == 201, answer.text
    return cast("str", answer.json()["execution_id"])


async def start_task(http: httpx.AsyncClient, prompt: str = "!say hello", **body: Any) -> Json:
    """Start a single task by Baton's call; the execution."""
    answer = await http.post("/baton/v1/executions", json={"prompt": prompt} | body)
    assert answer.status_code == 201, answer.text
    return cast("Json", answer.json())


async def task_ids(http: httpx.AsyncClient, execution_id: str) -> dict[int, str]:
    """The uuids of an execution's tasks, by position."""
    answer = await http.get(f"/baton/v1/executions/{execution_id}")
    return {task["position"]: task["id"] for task in answer.json()["tasks"]}


def reply(answer: httpx.Response) -> Reply:
    """An answer, as what judges shapes takes it."""
    return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content)
