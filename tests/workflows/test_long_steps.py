"""Steps that take longer than they may, and what others do to a workflow while a tool is at work."""

import pytest

from baton.domain.events import EventType
from tests.support.system import System, eventually
from tests.support.tools import calls_of
from workflows.contracts import task_workflow_id


async def test_a_call_that_takes_too_long_is_a_result_and_is_not_made_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.tool_steps.LONGEST_STEP", 1.0)
    task = await system.start('!tool linger {"seconds": 600}\n!finish end', await system.agent("linger"))
    row = await system.until(task, "succeeded", seconds=15)
    assert row["result"] == "linger: Ended without a result: it took too long.\nend"
    assert calls_of(task) == [("linger", "600.0")]


async def test_a_model_that_takes_too_long_fails_and_is_counted(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.steps.LONGEST_STEP", 0.5)
    monkeypatch.setattr("activities.failures.MODEL_ATTEMPTS", 2)
    task = await system.start("!sleep 600")
    row = await system.until(task, "failed", seconds=20)
    assert row["error_code"] == "step_too_long"
    log = await system.log(await system.execution_of(task))
    assert [e.data["retrying"] for e in log if e.type is EventType.STEP_FAILED] == [True, False]


async def test_a_workflow_cancelled_in_temporal_while_a_tool_runs(system: System) -> None:
    task = await system.start('!tool linger {"seconds": 600}', await system.agent("linger"))

    async def at_work() -> bool:
        return bool(calls_of(task))

    await eventually(at_work)
    await system.send(task, "unread")
    await system.temporal.client.get_workflow_handle(task_workflow_id(str(task))).cancel()
    await system.until(task, "cancelled", seconds=15)
    async with system.baton.pool.connection() as connection:
        made = await connection.fetch("SELECT state, content FROM tool_calls WHERE task_id = $1", task)
        sent = await connection.fetch("SELECT state FROM messages WHERE task_id = $1", task)
    assert [(call["state"], call["content"]) for call in made] == [("done", "interrupted")]
    assert [message["state"] for message in sent] in (["dead"], ["processed"])
    assert calls_of(task) == [("linger", "600.0")]
