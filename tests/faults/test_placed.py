"""Faults at exact instants: a process dies there, and the message is processed once all the same."""

import asyncio
import signal
from pathlib import Path

import pytest

from baton.runtime import faultpoints
from tests.faults.workload import Workload, gapless, said
from tests.support.stack import DevStack

_API = (faultpoints.SEND_CHECKED, faultpoints.SEND_COMMITTED)
#: Each takes as long as Temporal takes to miss a worker; `make test` has two of them.
_LONG = (faultpoints.STEP_ARRIVED, faultpoints.STEP_ANSWERED)


@pytest.mark.parametrize(
    "point",
    [pytest.param(point, marks=pytest.mark.faults if point in _LONG else ()) for point in faultpoints.MESSAGES],
)
async def test_a_process_dies_at(point: str, stack: DevStack, work: Workload, armed: Path) -> None:
    task = await work.start("!ask Go?")
    await work.until(task["id"], "waiting")
    victim = "api" if point in _API else "worker"
    old = stack.pids[victim]
    (armed / point).touch()
    answer = await work.send(task["id"], "once", key="the key")
    assert answer.status_code == 202
    done = await work.until(task["id"], "succeeded", seconds=60)
    assert not (armed / point).exists(), "no process came to the point"
    await stack.restarted(victim, old)
    assert done["result"] == "You said: once"
    sent = await work.messages(task["id"])
    assert [(message["text"], message["state"]) for message in sent] == [("once", "processed")]
    log = await work.log(task["execution_id"])
    assert gapless(log)
    assert said(log) == ["once"]
    again = await work.send(task["id"], "once", key="the key")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == sent[0]["id"]


async def test_the_api_dies_when_a_group_is_committed_and_nobody_is_answered(
    stack: DevStack, work: Workload, armed: Path
) -> None:
    """Sends that were under way at once: each is repeated under its key, and processed once."""
    tasks = [await work.start("!ask Go?") for _ in range(12)]
    for task in tasks:
        await work.until(task["id"], "waiting")
    old = stack.pids["api"]
    (armed / faultpoints.SEND_COMMITTED).touch()
    answers = await asyncio.gather(*(work.send(task["id"], "once", key="the key") for task in tasks))
    assert {answer.status_code for answer in answers} == {202}
    await stack.restarted("api", old)
    for task in tasks:
        done = await work.until(task["id"], "succeeded", seconds=60)
        assert done["result"] == "You said: once"
        sent = await work.messages(task["id"])
        assert [(message["text"], message["state"]) for message in sent] == [("once", "processed")]
        log = await work.log(task["execution_id"])
        assert gapless(log)
        assert said(log) == ["once"]


async def test_committed_but_never_signalled_is_still_processed(stack: DevStack, work: Workload, armed: Path) -> None:
    """The sender is told nothing and does not try again: what was committed counts."""
    task = await work.start("!ask Go?")
    await work.until(task["id"], "waiting")
    old = stack.pids["api"]
    (armed / faultpoints.SEND_COMMITTED).touch()
    with pytest.raises(Exception, match=r"disconnected|closed|reset|peer"):
        await work.client.post(f"/baton/v1/tasks/{task['id']}/messages", json={"text": "lone"})
    await stack.restarted("api", old)
    done = await work.until(task["id"], "succeeded", seconds=30)
    assert done["result"] == "You said: lone"


@pytest.mark.parametrize("point", faultpoints.STARTS)
async def test_a_start_is_repeated_after_the_api_has_died(
    point: str, stack: DevStack, work: Workload, armed: Path
) -> None:
    """The caller cannot know whether it was started: under the same key it is, once, and runs."""
    old = stack.pids["api"]
    (armed / point).touch()
    body, headers = {"prompt": "!say once", "title": point}, {"Idempotency-Key": point}
    with pytest.raises(Exception, match=r"disconnected|closed|reset|peer"):
        await work.client.post("/baton/v1/executions", json=body, headers=headers)
    await stack.restarted("api", old)
    again = await work.client.post("/baton/v1/executions", json=body, headers=headers)
    assert again.status_code == 201
    committed = point == faultpoints.START_COMMITTED
    assert again.headers.get("Idempotent-Replayed") == ("true" if committed else None)
    done = await work.until(again.json()["tasks"][0]["id"], "succeeded", seconds=30)
    assert done["result"] == "once"
    items = (await work.client.get("/baton/v1/executions", params={"limit": 200})).json()["items"]
    assert [item["title"] for item in items].count(point) == 1


@pytest.mark.faults
async def test_a_worker_killed_while_it_streams(stack: DevStack, work: Workload) -> None:
    task = await work.start("!ask How much?")
    await work.until(task["id"], "waiting")
    await work.send(task["id"], "!stream 300\n!finish end")

    async with asyncio.timeout(30), work.client.stream("GET", f"/baton/v1/tasks/{task['id']}/events") as stream:
        async for line in stream.aiter_lines():
            if line == "event: text.delta":
                break
    await stack.kill_and_wait("worker")
    done = await work.until(task["id"], "succeeded", seconds=60)
    log = await work.log(task["execution_id"])
    assert gapless(log)
    turns = [event for event in log if event["type"] == "turn.started" and event["data"]["turn"] == 2]
    assert len(turns) == 1
    voided = [event["data"] for event in log if event["type"] == "step.voided"]
    assert [(void["turn"], void["attempt"]) for void in voided] == [(2, 1)]
    kept = "".join(
        event["data"]["text"]
        for event in log
        if event["type"] == "text.delta" and event["data"]["turn"] == 2 and event["data"]["attempt"] == 2
    )
    assert kept == done["result"]
    assert [message["state"] for message in await work.messages(task["id"])] == ["processed"]


async def test_an_interrupt_for_a_step_whose_worker_was_killed(stack: DevStack, work: Workload) -> None:
    """Temporal tries nothing again that it was asked to cancel: the turn ends as interrupted, not as failed."""
    task = await work.start("!ask How much?")
    await work.until(task["id"], "waiting")
    await work.send(task["id"], "!say begun\n!sleep 5")  # what was begun in a step that nobody recorded begins anew
    async with asyncio.timeout(30), work.client.stream("GET", f"/baton/v1/tasks/{task['id']}/events") as stream:
        async for line in stream.aiter_lines():
            if line == "event: text.delta":
                break
    await stack.kill_and_wait("worker")
    answer = await work.client.post(
        f"/baton/v1/tasks/{task['id']}/messages", json={"text": "!finish end"}, headers={"Baton-Mode": "interrupt"}
    )
    assert answer.status_code == 202
    done = await work.until(task["id"], "succeeded", seconds=60)
    assert done["result"].splitlines()[-1] == "end"
    assert [message["state"] for message in await work.messages(task["id"])] == ["processed", "processed"]
    log = await work.log(task["execution_id"])
    assert gapless(log)
    ended = [event["data"]["outcome"] for event in log if event["type"] == "turn.ended"]
    assert ended[1:] == ["interrupted", "answered"]


@pytest.mark.faults
async def test_temporal_stands_still_for_ten_seconds_during_a_hundred_sends(stack: DevStack, work: Workload) -> None:
    tasks = [await work.start("!ask Go?") for _ in range(10)]
    for task in tasks:
        await work.until(task["id"], "waiting")
    stack.send_signal("temporal", signal.SIGSTOP)
    try:
        resume = asyncio.get_running_loop().time() + 10
        statuses: list[int] = []
        for n in range(10):
            answers = await asyncio.gather(
                *(
                    work.client.post(f"/baton/v1/tasks/{task['id']}/messages", json={"text": f"!say {n}"})
                    for task in tasks
                )
            )
            statuses += [answer.status_code for answer in answers]
        assert statuses == [202] * 100
        await asyncio.sleep(max(0.0, resume - asyncio.get_running_loop().time()))
    finally:
        stack.send_signal("temporal", signal.SIGCONT)
    for task in tasks:
        await work.until(task["id"], "succeeded", seconds=60)
        sent = await work.messages(task["id"])
        assert [message["state"] for message in sent] == ["processed"] * 10
        log = await work.log(task["execution_id"])
        assert gapless(log)
        text = "\n".join(event["data"]["text"] for event in log if event["type"] == "step.completed")
        assert [line for line in text.splitlines() if line.isdigit()] == [str(n) for n in range(10)]
