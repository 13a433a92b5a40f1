"""What people answer and decide in Temporal by an update: the receipt of what was stored, or why nothing was."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from baton.domain.ids import TaskById
from baton.service import control
from tests.support.postgres import PostgresServer
from tests.support.system import System, running_system
from tests.support.temporal import RunningTemporal, execute_update
from tests.support.tools import calls_of
from workflows.contracts import task_workflow_id

SCHEMA = '!ask {"question": "How many?", "schema": {"type": "integer", "minimum": 1}}'


def handle(system: System, task: UUID) -> WorkflowHandle[Any, Any]:
    return system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))


async def refusal(system: System, task: UUID, update: str, given: object) -> ApplicationError:
    """The refusal of an update that must be refused."""
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await execute_update(handle(system, task), update, given)
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def messages_of(system: System, task: UUID) -> list[tuple[str, str, str, str]]:
    async with system.baton.pool.connection() as connection:
        rows = await connection.fetch(
            "SELECT id, text, origin, sender FROM messages WHERE task_id = $1 ORDER BY seq", task
        )
    return [(str(row["id"]), row["text"], row["origin"], row["sender"]) for row in rows]


async def waiting(system: System, prompt: str) -> tuple[UUID, dict[str, Any]]:
    """A task that waits for an answer, and what it asks first."""
    task = await system.start(prompt)
    row = await system.until(task, "waiting")
    return task, row["open_questions"][0]


async def test_an_answer_gives_the_receipt_of_the_message_that_it_became(system: System) -> None:
    task, _ = await waiting(system, SCHEMA)
    receipt = await execute_update(handle(system, task), "answer", "7")
    row = await system.until(task, "succeeded")
    assert row["result"] == "You said: 7"
    (sent,) = await messages_of(system, task)
    assert sent == (receipt["message_id"], "7", "temporal", system.temporal.client.identity)
    assert receipt["state"] == "running"


async def test_an_answer_that_breaks_the_schema_is_refused_and_the_task_keeps_waiting(system: System) -> None:
    task, question = await waiting(system, SCHEMA)
    for wrong in ("many", "0", {"text": "0", "question_id": question["id"]}):
        refused = await refusal(system, task, "answer", wrong)
        assert refused.type == "answer_refused"
        assert "the answer breaks the question's schema" in refused.message
    assert "less than the minimum of 1" in refused.message
    assert (await system.row(task))["state"] == "waiting"
    assert await messages_of(system, task) == []
    await execute_update(handle(system, task), "answer", {"text": "3", "question_id": question["id"]})
    assert (await system.until(task, "succeeded"))["result"] == "You said: 3"


async def test_an_answer_to_another_question_or_to_none_is_refused(system: System) -> None:
    task, _ = await waiting(system, "!ask one?\n!sleep 30")
    stale = {"text": "x", "question_id": "00000000-0000-0000-0000-000000000000"}
    assert (await refusal(system, task, "answer", stale)).type == "outdated"
    assert (await refusal(system, task, "answer", "  ")).type == "invalid_input"
    await execute_update(handle(system, task), "answer", "yes")
    assert (await refusal(system, task, "answer", "too late")).type == "not_waiting"
    assert [text for _, text, _, _ in await messages_of(system, task)] == ["yes"]
    await control.cancel(system.baton, system.who, TaskById(task))


async def test_the_same_update_again_is_the_same_answer(system: System) -> None:
    task, _ = await waiting(system, "!ask one?\n!ask two?")
    receipts = [await execute_update(handle(system, task), "answer", "yes", id="mine") for _ in range(3)]
    assert receipts[1:] == receipts[:1] * 2
    await system.until(task, "waiting")
    assert len(await messages_of(system, task)) == 1


async def test_many_answers_at_once_are_one_answer(system: System) -> None:
    task, _ = await waiting(system, "!ask one?\n!sleep 30")
    updates = [execute_update(handle(system, task), "answer", f"answer {n}") for n in range(8)]
    results = await asyncio.gather(*updates, return_exceptions=True)
    assert sum(isinstance(result, dict) for result in results) == 1
    assert len(await messages_of(system, task)) == 1
    await control.cancel(system.baton, system.who, TaskById(task))


async def test_a_decision_says_what_it_decided_or_why_it_did_not(system: System) -> None:
    agent = await system.agent("record", policies={"*": "ask"})
    task = await system.start('!tool record {"text": "it"}\n!ask and now?', agent)
    row = await system.until(task, "waiting")
    approval = row["open_approvals"][0]["id"]
    for wrong in ({"decision": "perhaps"}, {"decision": "approve", "approval_id": "x"}):
        assert (await refusal(system, task, "decide", wrong)).type == "invalid_input"
    unknown = {"decision": "approve", "approval_id": "00000000-0000-0000-0000-000000000000"}
    assert (await refusal(system, task, "decide", unknown)).type == "approval_not_found"
    receipt = await execute_update(handle(system, task), "decide", {"decision": "approve"})
    assert receipt["approval_ids"] == [approval]
    await system.until(task, "waiting")
    assert calls_of(task) == [("record", "it")]
    again = await execute_update(handle(system, task), "decide", {"decision": "approve", "approval_id": approval})
    assert again["approval_ids"] == [approval], "the same decision again is no other"
    otherwise = {"decision": "decline", "approval_id": approval}
    assert (await refusal(system, task, "decide", otherwise)).type == "approval_decided"
    async with system.baton.pool.connection() as connection:
        row = await connection.fetchrow("SELECT decided_by, author FROM approvals WHERE id = $1", UUID(approval))
    assert row is not None
    identity = system.temporal.client.identity
    assert (row["decided_by"], row["author"]) == (identity, {"kind": "temporal", "id": identity, "name": identity})


async def test_a_decision_where_nothing_waits_for_one_is_refused(system: System) -> None:
    task, _ = await waiting(system, "!ask go?")
    assert (await refusal(system, task, "decide", {"decision": "approve"})).type == "not_waiting"


async def test_signals_that_are_refused_are_shown(system: System) -> None:
    task, _ = await waiting(system, SCHEMA)
    await handle(system, task).signal("user_message", "many")
    async with asyncio.timeout(20):
        while not (status := await handle(system, task).query("status"))["dropped"]:
            await asyncio.sleep(0.05)
    assert status["notice"] == "signal user_message dropped: answer_refused"
    assert (await system.row(task))["state"] == "waiting"


async def test_where_temporal_holds_ids_only_a_refusal_is_a_code(
    postgres: PostgresServer, temporal_server: RunningTemporal
) -> None:
    dsn = await postgres.create_database()
    async with running_system(dsn, temporal_server, temporal_details="ids") as quiet:
        task, _ = await waiting(quiet, SCHEMA)
        assert (await refusal(quiet, task, "answer", "many")).message == "answer_refused"


async def test_an_answer_on_the_way_survives_continue_as_new(rolling: System) -> None:
    task = await rolling.start("!ask 0?")
    for n in range(12):
        await rolling.until(task, "waiting")
        await execute_update(handle(rolling, task), "answer", f"!ask {n}?")
    await rolling.until(task, "waiting")
    described = (await handle(rolling, task).describe()).raw_description.workflow_execution_info
    assert described.execution.run_id != described.first_run_id
    assert [text for _, text, _, _ in await messages_of(rolling, task)] == [f"!ask {n}?" for n in range(12)]
