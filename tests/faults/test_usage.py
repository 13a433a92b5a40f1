"""What a task has used under kill -9: what its events say, what it says itself, what the provider was asked for."""

from pathlib import Path
from typing import Any

from baton.runtime import faultpoints
from tests.faults.workload import Workload
from tests.support.openai_server import Called, OpenAIServer, Reply
from tests.support.stack import DevStack


def told(log: list[dict[str, Any]], what: str) -> int:
    """The sum of one thing that was used, over the events of an execution."""
    return sum(event["data"]["usage"][what] for event in log if event["data"].get("usage"))


async def test_a_loop_stops_at_its_limit_and_is_counted_under_kill_9(
    stack: DevStack, work: Workload, armed: Path, provider: OpenAIServer
) -> None:
    """An agent that calls a tool again and again, and whose worker dies with an answer in its hands."""
    agent = {"name": "looping", "model": "openai-chat:gpt-5-mini", "tools": ["clock"], "limits": {"max_calls": 3}}
    assert (await work.client.post("/baton/v1/agents", json=agent)).status_code == 201
    provider.asked.clear()
    provider.reply(*(Reply((), (Called("clock", "{}", f"call_{n}"),)) for n in range(4)))
    old = stack.pids["worker"]
    (armed / faultpoints.STEP_ANSWERED).touch()
    task = await work.start("What time is it?", "looping")
    asks = await work.until(task["id"], "waiting", seconds=90)
    await stack.restarted("worker", old)
    assert asks["questions"][0]["text"].startswith("Used 3 ")
    assert len(provider.asked) == asks["usage"]["calls"] == 3
    await work.send(task["id"], "Go on")
    done = await work.until(task["id"], "succeeded")
    log = await work.log(task["execution_id"])
    assert len(provider.asked) == done["usage"]["calls"] == told(log, "calls") == 5
    assert done["usage"]["input_tokens"] == told(log, "input_tokens") == 4 * 11, "the attempt that was lost told nobody"
    execution = (await work.client.get(f"/baton/v1/executions/{task['execution_id']}")).json()
    assert execution["usage"] == done["usage"]
