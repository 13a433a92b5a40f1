"""Asteroid's published client against our API: its own types judge what we answer."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import RunningApi
from tests.support.packages import python_with

PROGRAM = Path(__file__).parents[1] / "support" / "asteroid_client.py"
DONE = "You said: Europe\nDone."


async def run(api: RunningApi, version: str, generation: str) -> dict[str, Any]:
    """What the client was told from the first call to the last."""
    agent = (await api.http.post("/baton/v1/executions", json={"prompt": "!say hello"})).json()["agent"]["id"]
    careful = await api.http.post(
        "/baton/v1/agents",
        json={"name": "careful", "model": "scripted", "tools": ["clock"], "policies": {"clock": "ask"}},
    )
    assert careful.status_code == 201, careful.text
    python = await asyncio.to_thread(python_with, "asteroid-odyssey", version)
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-I", str(PROGRAM), api.url, api.key, agent, careful.json()["id"], generation),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    told: dict[str, Any] = json.loads(output)
    return told


@pytest.mark.timeout(420)  # it is fetched on first use
@pytest.mark.parametrize(("version", "generation"), [("1.6.905", "old"), ("1.9.167", "new")], ids=["old", "new"])
async def test_from_the_first_call_to_the_last(api: RunningApi, version: str, generation: str) -> None:
    told = await run(api, version, generation)
    execution = told["started"]["executionId"]
    (careful,) = told["named"]
    assert careful["name"] == "careful"
    assert careful["id"] in told["agents"]
    assert told["found"] == [[execution], [execution], [execution], []]
    # The older client knows of no status there.
    assert told["started"] == {"executionId": execution} | ({} if generation == "old" else {"status": "running"})
    waiting, finished = told["waiting"], told["finished"]
    assert (waiting["id"], waiting["status"]) == (execution, "paused_by_agent")
    assert (waiting["metadata"], waiting["humanLabels"], waiting["comments"]) == ({"trace": "t-1"}, [], [])
    assert "executionResult" not in waiting

    (asked,) = told["asked"]
    assert asked["executionId"] == execution
    (question,) = asked["payload"]["pausedPayload"]["question"]["questions"]
    assert question["question"] == "Which region?"
    assert [option["label"] for option in question["options"]] == ["Europe", "Asia"]

    assert told["added"] == "User message added."
    assert finished["status"] == "completed"
    assert (finished["executionResult"]["outcome"], finished["executionResult"]["result"]) == ("success", DONE)
    assert told["listed"]["items"] == [finished]
    assert (told["listed"]["page"], told["listed"]["pageSize"]) == (1, 1)
    assert told["listed"]["total"] >= 1

    kinds = [kind.removeprefix("AgentsExecutionActivity") for kind, _ in told["activities"]]
    assert set(kinds) == {
        "StatusChangedPayload",
        "StepStartedPayload",
        "StepCompletedPayload",
        "ReasoningPayload",
        "GenericPayload",
        "UserMessageReceivedPayload",
    }
    payloads = [payload for _, payload in told["activities"]]
    assert [payload["status"] for payload in payloads if payload["activityType"] == "status_changed"] == [
        "running",
        "paused_by_agent",
        "running",
        "completed",
    ]
    assert payloads[-1]["completedPayload"]["result"] == DONE
    assert [p["message"] for p in payloads if p["activityType"] == "user_message_received"] == ["Europe"]

    statuses = ["paused", "running", "cancelled"]
    if generation == "old":
        assert told["told"] == ["Execution status updated."] * 3
    else:
        assert [change["status"] for change in told["told"]] == statuses

    assert told["awaiting"] == [told["held"]]
    (confirming,), (failing,) = told["confirming"], told["failing"]
    assert confirming["awaitingConfirmationPayload"] == {"reason": "May clock be called with {}?"}
    result = told["failed"]["executionResult"]
    assert (result["outcome"], result["result"]) == ("failure", None)
    assert failing["failedPayload"]["reason"] == result["reasoning"] != ""

    refused = told["refused"]
    assert [refused[name][1] for name in ("cancelled", "unknown", "empty", "unserved")] == [409, 404, 400, 400]
    assert "outcomeLabel" in refused["unserved"][2]["message"]
    assert [refused[name][0] for name in ("unknown", "empty")] == ["NotFoundException", "BadRequestException"]
    for _, status, body in refused.values():
        assert body.keys() == {"code", "message"}
        assert body["code"] == status
