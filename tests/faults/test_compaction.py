"""A worker that is killed while a model makes a summary: it is recorded once, each request counts, the turn goes on."""

import json
import os
import signal
from typing import Any, Final
from uuid import uuid4

import pytest

from tests.faults.workload import Workload, gapless
from tests.support.openai_server import OpenAIServer, Reply
from tests.support.stack import DevStack

TURNS: Final = 16


async def test_kill_9_inside_a_summary(
    stack: DevStack, work: Workload, provider: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, killed = f"lists-{uuid4()}", list[int]()

    def answer(body: dict[str, Any]) -> Reply:
        if "You shorten the record" not in json.dumps(body):
            return Reply(("Noted.",))
        if not killed:
            killed.append(stack.pids["worker"])
            os.kill(killed[0], signal.SIGKILL)
        return Reply(("What was said.",))

    monkeypatch.setattr(provider, "otherwise", answer)
    agent = {"name": name, "model": "openai-chat:gpt-5-mini", "model_settings": {"context_window": 6000}}
    assert (await work.client.post("/baton/v1/agents", json=agent)).status_code == 201
    before = len(provider.asked)
    task = await work.start("Keep a list.", name)
    for turn in range(2, TURNS):
        await work.until(task["id"], "succeeded")
        assert (await work.send(task["id"], f"item {turn}: " + "x" * 1500)).status_code == 202
    done = await work.until(task["id"], "succeeded")
    assert killed
    assert done["turn"] == TURNS - 1
    made = (await work.client.get(f"/baton/v1/tasks/{task['id']}/compactions")).json()["items"]
    log = await work.log(task["execution_id"])
    assert gapless(log)
    told = [event["data"]["number"] for event in log if event["type"] == "context.compacted"]
    assert sorted(told) == sorted(one["number"] for one in made) == list(range(1, len(made) + 1))
    assert len({(one["turn"], one["step"]) for one in made}) == len(made)
    assert done["usage"]["calls"] == len(provider.asked) - before
    usages: list[dict[str, Any]] = [event["data"].get("usage") or {} for event in log]
    assert sum(usage.get("calls", 0) for usage in usages) == done["usage"]["calls"]
