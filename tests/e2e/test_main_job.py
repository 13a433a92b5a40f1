"""The main job on real processes, by Kubiya's API: a plan asks twice, is answered, goes on, and can be watched."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from tests.support.stack import DevStack, running_stack

_PLAN: Final[dict[str, Any]] = {
    "title": "Move the shop",
    "summary": "From one region to another",
    "team_breakdown": [
        {
            "team_name": "platform",
            "tasks": [
                {"id": 1, "title": "Survey", "description": "!say surveyed", "details": "", "dependencies": []},
                {
                    "id": 2,
                    "title": "Region",
                    "description": "!ask Which region?",
                    "details": "!finish region chosen",
                    "dependencies": [1],
                },
                {
                    "id": 3,
                    "title": "Budget",
                    "description": "!stream 60\n!ask How much?\n!finish budget fixed",
                    "details": "",
                    "dependencies": [1],
                },
                {"id": 4, "title": "Images", "description": "!stream 200", "details": "", "dependencies": [1]},
                {"id": 5, "title": "Move", "description": "!results", "details": "", "dependencies": [2, 3, 4]},
            ],
        }
    ],
}


@dataclass(frozen=True)
class Frame:
    """A frame of a stream."""

    id: str
    event: str
    data: dict[str, Any]


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[DevStack]:
    async with running_stack(tmp_path_factory.mktemp("main") / "data") as running:
        yield running


async def frames(client: httpx.AsyncClient, path: str, after: str | None = None) -> AsyncGenerator[Frame]:
    """The frames of one connection."""
    headers = {} if after is None else {"Last-Event-ID": after}
    async with client.stream("GET", path, headers=headers) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        last, event = "", "message"
        async for line in stream.aiter_lines():
            if line.startswith("id: "):
                last = line.removeprefix("id: ")
            elif line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield Frame(last, event, json.loads(line.removeprefix("data: ")))


async def test_a_plan_asks_is_answered_goes_on_and_is_watched(stack: DevStack) -> None:
    async with stack.client() as client, asyncio.timeout(90):
        started = await client.post(
            "/api/v1/tasks/plan/execute", json={"plan": _PLAN, "worker_queue_id": stack.ready["task_queue"]}
        )
        assert started.status_code == 201, started.text
        execution = started.json()["execution_id"]
        assert started.json() == {
            "execution_id": execution,
            "status": "running",
            "plan_title": "Move the shop",
            "total_tasks": 5,
        }
        path = f"/api/v1/tasks/plan/{execution}/stream"
        seen: list[Frame] = []
        answered: dict[int, dict[str, Any]] = {}
        answers = {2: "eu-west", 3: "42 euros"}
        async for frame in frames(client, path):
            seen.append(frame)
            if frame.event == "task_waiting_for_input":
                task = frame.data["task_id"]
                sent = await client.post(
                    f"/api/v1/tasks/plan/{execution}/tasks/{task}/message", json={"message": answers[task]}
                )
                assert sent.status_code == 200, sent.text
                answered[task] = sent.json()
            if frame.event == "done":
                break
        for task, answer in answers.items():
            told = answered[task]
            assert {name: told[name] for name in ("success", "execution_id", "task_id", "message_sent")} == {
                "success": True,
                "execution_id": execution,
                "task_id": task,
                "message_sent": True,
            } or told["message_sent"] == answer
            assert told["workflow_signaled"] is True
        read = (await client.get(f"/api/v1/tasks/plan/{execution}")).json()
        assert (read["status"], read["completed_tasks"], read["progress_percentage"]) == ("completed", 5, 100)
        assert seen[-1].event == "done"
        assert seen[-1].data["status"] == "completed"
        # A sibling was at work when the first answer came.
        first = next(n for n, frame in enumerate(seen) if frame.event == "task_waiting_for_input")
        assert any(frame.event == "message_chunk" and frame.data["task_id"] == 4 for frame in seen[first:])
        # The dependent used both answers.
        said: defaultdict[int, str] = defaultdict(str)
        for frame in seen:
            if frame.event == "message_chunk":
                said[frame.data["task_id"]] += frame.data["content"]
        assert any("eu-west" in text and "42 euros" in text for text in said.values())
        # Cut after every single frame and resumed, the stream is the same.
        again = [frame async for frame in frames(client, path)]
        assert again == seen
        ids = [frame.id for frame in seen]
        resumable = [n for n in range(len(seen) - 1) if seen[n].id != seen[n + 1].id]
        assert len(resumable) >= len(seen) - 2
        for n in resumable:
            tail = [frame async for frame in frames(client, path, ids[n])]
            assert tail == seen[n + 1 :], f"resumed after {ids[n]}"
        numbers = [int(identifier.split(".")[0]) for identifier in ids if identifier]
        assert numbers == sorted(numbers)
        log = (await client.get(f"/baton/v1/executions/{execution}")).json()
        assert set(numbers) <= set(range(1, log["last_event"] + 1))


async def test_a_stream_goes_on_through_restarts_of_worker_and_api(stack: DevStack) -> None:
    async with stack.client() as client, asyncio.timeout(120):
        started = await client.post(
            "/baton/v1/executions", json={"prompt": "!stream 400\n!ask more?\n!finish end", "title": "long"}
        )
        task = started.json()["tasks"][0]["id"]
        path = f"/baton/v1/tasks/{task}/events"
        seen: list[Frame] = []
        killed = answered = False
        while not (seen and seen[-1].event == "end"):
            try:
                async for frame in frames(client, path, seen[-1].id if seen else None):
                    seen.append(frame)
                    if not killed and frame.event == "text.delta":
                        killed = True
                        stack.send_signal("worker")
                        stack.send_signal("api")
                    if not answered and frame.data.get("task_state") == "waiting":
                        answered = True
                        for _ in range(3):
                            await client.post(
                                f"/baton/v1/tasks/{task}/messages",
                                json={"text": "yes"},
                                headers={"Idempotency-Key": "one"},
                            )
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        numbers = [frame.data["seq"] for frame in seen[:-1]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert [frame.event for frame in seen].count("step.voided") == 1
        assert [frame.event for frame in seen].count("message.accepted") == 1
