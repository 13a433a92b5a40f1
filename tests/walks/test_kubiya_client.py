"""Kubiya's published Python SDK, and the calls of Kubiya's worker, from the first to the last against `baton dev`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.clients import Deployment, run_with

PROGRAM = Path(__file__).parents[1] / "support" / "kubiya_client.py"
PROMPT = '!say Let me see.\n!ask {"question": "Which region?", "choices": ["Europe", "Asia"]}\n!finish Done.'
DONE = "You said: Europe\nDone."


@pytest.mark.timeout(420)  # it is fetched on first use
async def test_the_published_sdk(deployment: Deployment) -> None:
    d = deployment
    told = await run_with("kubiya-sdk", "2.1.6", PROGRAM, d.url, d.key, d.queue, d.agent, d.name)

    older = told["workflows_client"]
    assert (older["listed"], older["found"], older["streamed"], older["response"]) == (True, True, True, DONE)
    assert older["texts"] == f"Let me see.Which region?{DONE}"  # each text once
    assert older["statuses"] == ["running", "waiting_for_input", "running", "completed", "completed"]

    newer = told["control_plane_client"]
    refused, names = newer.pop("refused"), newer.pop("names")
    assert newer == {
        "listed": True,
        "read": True,
        "cancelled": "cancelled",
        "question": "Which region?",
        "signaled": True,
        "completed": 2,
    }
    assert (names[0], names[-2:]) == ("plan_started", ["plan_completed", "done"])
    assert {"task_waiting_for_input", "plan_waiting_for_input", "message_chunk"} <= set(names)
    assert "there is no such agent" in refused["unknown"]
    assert "400" in refused["empty"]
    assert "Invalid API token" in refused["stranger"]


async def followed(http: httpx.AsyncClient, execution: str, *, since: str = "") -> tuple[str, str]:
    """How Kubiya's worker reads a stream: the status that it stops at, and the agent's text up to there.

    It takes a status for news where its time is later than ``since``, and does not wait for the end of the stream.
    """
    said, kind, is_new = "", "", not since
    async with http.stream("GET", f"/api/v1/executions/{execution}/stream") as stream:
        assert stream.status_code == 200
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if not line.startswith("data: "):
                continue
            data: dict[str, Any] = json.loads(line.removeprefix("data: "))
            is_new = is_new or data["timestamp"] > since
            assert kind != "error"
            if kind == "status" and data["status"] in ("completed", "success", "failed", "error"):
                return data["status"], said
            if kind == "status" and data["status"] == "waiting_for_input" and is_new:
                return data["status"], said
            if kind in ("message", "message_chunk") and data["role"] == "assistant":
                said += data["content"]
    raise AssertionError("the stream has ended without a status to stop at")


@pytest.mark.parametrize("scheme", ["Bearer", "UserKey"])
async def test_what_the_worker_calls(deployment: Deployment, scheme: str) -> None:
    """Start a task's agent, follow it to its question, answer, follow it to its end: with no call but these."""
    headers = {"Authorization": f"{scheme} {deployment.key}"}
    async with httpx.AsyncClient(base_url=deployment.url, headers=headers, timeout=60, trust_env=False) as http:
        body: dict[str, Any] = {
            "prompt": PROMPT,
            "worker_queue_id": deployment.queue,
            "user_metadata": {"plan_execution_id": "p", "task_id": 1, "task_title": "One", "skills_filter": []},
            "runtime_config": {"session_id": "p"},
        }
        started = await http.post(f"/api/v1/agents/{deployment.agent}/execute", json=body)
        assert started.status_code in (200, 201, 202), started.text
        assert started.json()["workflow_id"].startswith("task-")
        execution = started.json()["execution_id"]
        assert await followed(http, execution) == ("waiting_for_input", "Let me see.Which region?")

        since = datetime.now(UTC).isoformat()
        answered = await http.post(f"/api/v1/executions/{execution}/message", json={"message": "Europe"})
        assert answered.status_code in (200, 201, 202), answered.text
        assert await followed(http, execution, since=since) == ("completed", f"Let me see.Which region?{DONE}")

        broken = await http.post(f"/api/v1/agents/{deployment.agent}/execute", json=body | {"prompt": "!fatal broken"})
        status, _ = await followed(http, broken.json()["execution_id"])
        assert status == "failed"
