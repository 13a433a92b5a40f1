"""What people type into Temporal while an agent is at work: recorded and handled like what comes by REST."""

import asyncio
from uuid import UUID

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from baton.domain.states import SendMode
from tests.support.system import System, eventually
from tests.support.tools import calls_of
from tests.workflows.test_slow_database import locked
from workflows.contracts import task_workflow_id


def workflow(system: System, task: UUID):
    return system.temporal.client.get_workflow_handle(task_workflow_id(str(task)))


async def messages_of(system: System, task: UUID) -> list[tuple[str, str]]:
    async with system.baton.pool.connection() as connection:
        rows = await connection.fetch("SELECT text, state FROM messages WHERE task_id = $1 ORDER BY seq", task)
    return [(row["text"], row["state"]) for row in rows]


async def at_work(system: System, prompt: str, mode: SendMode = SendMode.QUEUE) -> UUID:
    agent = await system.agent()
    async with system.baton.pool.connection() as connection:
        await connection.execute("UPDATE agents SET mode = $2 WHERE id = $1", agent, mode)
    task = await system.start(prompt, agent)

    async def open_() -> bool:
        return bool((await system.row(task))["turn_open"])

    await eventually(open_)
    return task


async def test_it_is_accepted_while_a_step_runs(system: System) -> None:
    task = await at_work(system, "!sleep 60")
    for n in range(5):
        await workflow(system, task).signal("user_message", f"typed {n}")

    async def accepted() -> bool:
        return await messages_of(system, task) == [(f"typed {n}", "accepted") for n in range(5)]

    await eventually(accepted, 10)
    row = await system.row(task)
    assert (row["turn"], row["turn_open"]) == (1, True)
    await system.send(task, "stop", mode=SendMode.INTERRUPT)
    row = await system.until(task, "succeeded", seconds=15)
    assert str(row["result"]).splitlines() == [*(f"You said: typed {n}" for n in range(5)), "You said: stop"]


async def test_it_interrupts_where_the_agents_messages_do(system: System) -> None:
    task = await at_work(system, "!sleep 60", SendMode.INTERRUPT)
    await workflow(system, task).signal("user_message", "stop")
    row = await system.until(task, "succeeded", seconds=10)
    assert (row["result"], row["turn"]) == ("You said: stop", 2)


async def test_it_is_refused_where_the_agents_messages_are(system: System) -> None:
    task = await at_work(system, "!sleep 2\n!finish end", SendMode.REJECT)
    await workflow(system, task).signal("user_message", "lost")
    row = await system.until(task, "succeeded", seconds=15)
    assert (row["result"], await messages_of(system, task)) == ("end", [])


@pytest.mark.parametrize("servers", ["system", "rolling"])
async def test_none_is_lost_or_out_of_order_around_the_end_and_continue_as_new(
    system: System, rolling: System, servers: str
) -> None:
    there = {"system": system, "rolling": rolling}[servers]
    task = await there.start("!ask 0?")
    await there.until(task, "waiting")
    typed = [f"typed {n}" for n in range(40)]
    for text in typed:
        while not await _type(there, task, text):  # the workflow has closed: REST starts another
            await there.send(task, "!ask again?")
            await there.until(task, "waiting")
        await asyncio.sleep(0.02)

    async def read() -> bool:
        said = [text for text, state in await messages_of(there, task) if state == "processed"]
        return [text for text in said if text.startswith("typed")] == typed

    await eventually(read)


async def _type(system: System, task: UUID, text: str) -> bool:
    try:
        await workflow(system, task).signal("user_message", text)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def reset(system: System, task: UUID) -> None:
    """Somebody resets a task's workflow to its beginning: all that was signalled to it is signalled again."""
    described = await workflow(system, task).describe()
    await system.temporal.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=described.id, run_id=described.run_id),
            reason="a test",
            workflow_task_finish_event_id=4,
            request_id=described.run_id,
        )
    )

    async def has_looked() -> bool:
        again = await workflow(system, task).describe()
        status = await workflow(system, task).query("status")
        idle = not again.raw_description.pending_activities and status["state"] == "waiting"
        return again.run_id != described.run_id and idle

    await eventually(has_looked)


async def test_what_was_typed_is_not_accepted_twice_where_its_workflow_is_reset(system: System) -> None:
    task = await system.start("!ask 0?")
    for n in (1, 2):
        await system.until(task, "waiting")
        await workflow(system, task).signal("user_message", f"!ask {n}?")
        await eventually(lambda n=n: _has_turn(system, task, n + 1))
    await system.until(task, "waiting")
    await reset(system, task)
    assert await messages_of(system, task) == [("!ask 1?", "processed"), ("!ask 2?", "processed")]
    await system.send(task, "end")
    assert (await system.until(task, "succeeded"))["turn"] == 4


async def test_consent_that_was_typed_is_not_given_again_where_its_workflow_is_reset(system: System) -> None:
    agent = await system.agent("record", policies={"*": "ask"})
    calls = '!tool record {"text": "one"}\n!tool record {"text": "two"}'
    task = await system.start(calls, agent)
    await system.until(task, "waiting")
    await workflow(system, task).signal("decide", {"decision": "approve"})
    await eventually(lambda: _has_turn(system, task, 2))
    await system.until(task, "waiting")
    await reset(system, task)
    row = await system.row(task)
    assert (row["state"], row["turn"], len(row["open_approvals"])) == ("waiting", 2, 1)
    assert calls_of(task) == [("record", "one")], "nobody has consented to the second"


@pytest.mark.parametrize("prompt", ["!ask go?", "!sleep 60"])
async def test_a_workflow_that_is_cancelled_in_temporal_while_something_is_typed_still_closes(
    system: System, prompt: str
) -> None:
    task = await system.start(prompt)
    await eventually(lambda: _has_begun(system, task))
    handle = workflow(system, task)
    async with locked(system.baton.settings.dsn, await system.execution_of(task)):
        for n in range(3):
            await handle.signal("user_message", f"typed {n}")
        await handle.cancel()

        async def has_heard() -> bool:
            kinds = [event.event_type async for event in handle.fetch_history_events()]
            cancel = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
            return cancel in kinds and EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED in kinds[kinds.index(cancel) :]

        await eventually(has_heard)
    await system.until(task, "cancelled", seconds=20)
    async with asyncio.timeout(20):
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    sent = await messages_of(system, task)
    assert [text for text, _ in sent] == [f"typed {n}" for n in range(len(sent))]
    assert {state for _, state in sent} <= {"dead", "processed"}


async def _has_begun(system: System, task: UUID) -> bool:
    return (await system.row(task))["turn"] == 1


async def _has_turn(system: System, task: UUID, turn: int) -> bool:
    row = await system.row(task)
    return row["turn"] == turn and not row["turn_open"]
