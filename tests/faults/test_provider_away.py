"""A provider that is away while tasks run: with errors, without a listener, then with a rate limit."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from baton.runtime.listener import listen
from tests.faults.workload import Workload
from tests.support.openai_server import Json, OpenAIServer, Refusal, echo, running_openai_server
from tests.support.stack import running_stack

#: How long the provider is away in all; a long run takes 600.
AWAY_SECONDS: Final = float(os.environ.get("BATON_TEST_AWAY_SECONDS", "30"))
#: Between two attempts a step waits for a minute at most.
_BACK_SECONDS: Final = 180
_TASKS: Final = 50
_AGENT: Final = {"name": "real", "model": "openai-chat:gpt-5-mini"}


async def until_asked(server: OpenAIServer, times: int) -> None:
    """Wait until so many requests have come."""
    async with asyncio.timeout(_BACK_SECONDS):
        while len(server.asked) < times:
            await asyncio.sleep(0.1)


def failures(logs: list[list[dict[str, Any]]]) -> Counter[str]:
    """What attempts failed with, as the logs say."""
    return Counter(event["data"]["code"] for log in logs for event in log if event["type"] == "step.failed")


@pytest.mark.timeout(AWAY_SECONDS + 3 * _BACK_SECONDS)
async def test_tasks_outlive_a_provider_that_is_away(tmp_path: Path) -> None:
    """All go on by themselves; nothing is dead, and each has its one answer. What cannot pass fails at once."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    environment = {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "sk-of-the-tests-0123456789"}
    async with running_stack(tmp_path / "data", environment=environment) as stack, stack.client() as client:
        work = Workload(client)
        assert (await client.post("/baton/v1/agents", json=_AGENT)).status_code == 201
        with running_openai_server(port) as provider:
            provider.otherwise = lambda _: Refusal(500)
            tasks = await asyncio.gather(*(work.start(f"Say {n}.", _AGENT["name"]) for n in range(_TASKS)))
            await until_asked(provider, _TASKS)
            await asyncio.sleep(AWAY_SECONDS / 3)
        await asyncio.sleep(AWAY_SECONDS / 3)  # connection refused
        with running_openai_server(port) as provider:
            provider.otherwise = lambda _: Refusal(429, headers=(("retry-after", "2"),))
            await until_asked(provider, _TASKS)
            await asyncio.sleep(AWAY_SECONDS / 3)
            provider.otherwise = echo
            ends = await asyncio.gather(
                *(work.until(task["id"], "succeeded", "failed", "waiting", seconds=_BACK_SECONDS) for task in tasks)
            )
            assert Counter(end["state"] for end in ends) == {"succeeded": _TASKS}
            logs = [await work.log(task["execution_id"]) for task in tasks]
            assert [sum(event["type"] == "step.completed" for event in log) for log in logs] == [1] * _TASKS
            assert set(failures(logs)) == {"model_unavailable", "model_rate_limited"}

            def refuse(status: int) -> Any:
                def answer(_: Json) -> Refusal:
                    return Refusal(status)

                return answer

            for status, code in ((401, "model_key_rejected"), (404, "model_not_found")):
                provider.otherwise = refuse(status)
                provider.asked.clear()
                task = await work.start("Hello", _AGENT["name"])
                end = await work.until(task["id"], "failed")
                assert (end["error"]["code"], len(provider.asked)) == (code, 1)
