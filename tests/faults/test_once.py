"""A tool that may not be repeated, and a worker that is killed: at most one call each, whatever the instant.

What becomes of a call that may have happened, a person says, who looks at what there is outside.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from baton.domain.doubts import GIVE_UP, HAPPENED, MAKE_IT
from baton.runtime import faultpoints
from tests.faults.workload import Workload, gapless
from tests.support.counting import COUNTED
from tests.support.openai_server import Called, OpenAIServer, Reply
from tests.support.stack import DevStack, until

#: Before the call, in it, after it, and when its result is recorded: with others beside it, between them.
POINTS = (faultpoints.TOOL_STARTED, COUNTED, faultpoints.TOOL_RETURNED, faultpoints.TOOL_RECORDED)
RUNS = 50


@dataclass(slots=True)
class Counting:
    """An agent that calls `count` as it is told, and what the calls have left behind."""

    stack: DevStack
    work: Workload
    provider: OpenAIServer
    armed: Path
    counted: Path
    agent: str

    def calls(self, name: str) -> int:
        """How many calls of that name there have really been."""
        return Counter(self.counted.read_text().split() if self.counted.exists() else ())[name]

    async def run(self, point: str, names: Sequence[str], answers: Callable[[str], str]) -> list[str]:
        """Have the calls ``names`` made side by side, the worker killed at ``point`` of the first one to come there.

        All but the first wait until it is dead, which waits until they have begun, if it may begin itself. ``answers``
        says what is known of a call. Returns what was answered.
        """
        first, others = (self.counted.parent / f"{kind}-{names[0]}" for kind in ("first", "others"))
        prompt = json.dumps([{"name": name, "gate": str(others if n else first)} for n, name in enumerate(names)])
        old = self.stack.pids["worker"]
        (self.armed / point).touch()
        body = {"prompt": prompt, "title": "to count", "agent": self.agent}
        started = await self.work.client.post("/baton/v1/executions", json=body)
        assert started.status_code == 201, started.text
        task = started.json()["tasks"][0]
        if point != faultpoints.TOOL_STARTED:
            await until(lambda: all(Path(f"{others}-{name}").exists() for name in names[1:]), 60)
        first.touch()
        await until(lambda: not (self.armed / point).exists(), 60)
        others.touch()
        await self.stack.restarted("worker", old)
        given: list[str] = []
        while (now := await self.work.until(task["id"], "waiting", "succeeded"))["state"] == "waiting":
            assert [question["choices"] for question in now["questions"]] == [[HAPPENED, MAKE_IT, GIVE_UP]] * len(
                now["questions"]
            )
            for question in now["questions"]:
                name = json.loads(question["text"].splitlines()[1])["name"]
                given.append(answers(name))
                answer = await self.work.client.post(
                    f"/baton/v1/tasks/{task['id']}/messages",
                    json={"text": given[-1]},
                    headers={"Baton-Question": question["id"]},
                )
                assert answer.status_code == 202, answer.text
        log = await self.work.log(task["execution_id"])
        assert gapless(log)
        done = [event["data"]["call_id"] for event in log if event["type"] == "tool.completed"]
        assert sorted(done) == sorted(names), "each call has one result"
        return given

    def truth(self, name: str) -> str:
        """What there is to see of a call."""
        return f"{HAPPENED}: counted {name}" if self.calls(name) else MAKE_IT


def _as_told(body: dict[str, Any]) -> Reply:
    """Make the calls that the user lists, side by side; then be done."""
    if any(message["role"] == "tool" for message in body["messages"]):
        return Reply(("done",))
    prompt = next(message["content"] for message in body["messages"] if message["role"] == "user")
    calls = json.loads(prompt[prompt.index("[{") :])
    return Reply(calls=tuple(Called("count", json.dumps(call), call["name"]) for call in calls))


@pytest.fixture
async def counting(
    stack: DevStack, work: Workload, provider: OpenAIServer, armed: Path, counted: Path, monkeypatch: pytest.MonkeyPatch
) -> Counting:
    """An agent of the test's own."""
    monkeypatch.setattr(provider, "otherwise", _as_told)
    name = f"counts-{uuid4()}"
    agent = {"name": name, "model": "openai-chat:gpt-5-mini", "tools": ["count"], "policies": {"count": "allow"}}
    made = await work.client.post("/baton/v1/agents", json=agent)
    assert made.status_code == 201, made.text
    return Counting(stack, work, provider, armed, counted, name)


async def test_a_call_that_happened_is_not_made_again(counting: Counting) -> None:
    name = str(uuid4())
    assert await counting.run(COUNTED, [name], counting.truth) == [f"{HAPPENED}: counted {name}"]
    assert counting.calls(name) == 1


async def test_calls_that_did_not_happen_are_made_or_given_up(counting: Counting) -> None:
    """The first is recorded when the worker dies, the others are under way: one of them is made after all."""
    recorded, made, given_up = names = [str(uuid4()) for _ in range(3)]
    answers = await counting.run(faultpoints.TOOL_RECORDED, names, lambda name: MAKE_IT if name == made else GIVE_UP)
    assert sorted(answers) == [GIVE_UP, MAKE_IT]
    assert [counting.calls(name) for name in (recorded, made, given_up)] == [1, 1, 0]


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_at_most_one_call_each(counting: Counting) -> None:
    """Fifty deaths, at each point, of calls alone and of four side by side."""
    answered = Counter[str]()
    made = Counter[int]()
    for run in range(RUNS):
        names = [f"{run}-{n}" for n in range(1 if run % 2 else 4)]
        gives_up = run % 5 == 0

        def say(name: str, gives_up: bool = gives_up) -> str:
            return GIVE_UP if gives_up else counting.truth(name)

        given = await counting.run(POINTS[run // 2 % len(POINTS)], names, say)
        answered.update(answer.partition(":")[0] if answer.startswith(HAPPENED) else answer for answer in given)
        calls = {name: counting.calls(name) for name in names}
        assert all(number == 1 or (gives_up and not number) for number in calls.values()), (run, calls, given)
        made.update(calls.values())
    print(f"{RUNS} deaths: calls by how often they were made {dict(made)}, answers {dict(answered)}")
    assert set(answered) == {HAPPENED, MAKE_IT, GIVE_UP}
