"""A plan on a real Temporal server."""

import asyncio
from uuid import UUID

from baton.domain.events import EventType
from baton.domain.states import ExecutionState
from baton.service import control
from baton.service.agents import AgentChange, change_agent, get_agent
from baton.service.temporal import AGENT
from baton.store import events as event_store
from tests.support.postgres import PostgresServer
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from workflows.contracts import plan_workflow_id, task_workflow_id


async def over(system: System, execution: UUID, state: ExecutionState) -> bool:
    async with system.baton.pool.connection() as connection:
        log = await event_store.head(connection, system.who.tenant_id, execution)
    return log is not None and log.state is state


async def test_a_plan_runs_asks_and_dependents_read_the_results(system: System) -> None:
    execution = await system.start_plan(
        ("!finish plan ready", ()),
        ("!ask Colour?\n!finish painted", (1,)),
        ("!sleep 0.2\n!finish built", (1,)),
        ("!results\n!finish all done", (2, 3)),
    )
    await eventually(lambda: _states(system, execution, {2: "waiting"}))
    receipt = await system.send((execution, 2), "red")
    assert receipt.seq == 1
    await eventually(lambda: over(system, execution, ExecutionState.SUCCEEDED))
    tasks = await system.tasks_of(execution)
    assert "You said: red" in str(tasks[4]["result"])
    assert "built" in str(tasks[4]["result"])
    log = await system.log(execution)
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert log[-1].execution_state is ExecutionState.SUCCEEDED
    both = next(event for event in log if event.type is EventType.TASKS_STARTED)
    assert both.data["tasks"] == [2, 3]
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    assert await handle.result() == "succeeded"


async def test_a_failure_fails_its_dependents_and_a_repair_brings_them_back(system: System) -> None:
    execution = await system.start_plan(("!fatal no", ()), ("!finish two", (1,)), ("!finish three", (2,)))
    await eventually(lambda: over(system, execution, ExecutionState.FAILED))
    tasks = await system.tasks_of(execution)
    assert [(tasks[n]["state"], tasks[n]["error_code"]) for n in (1, 2, 3)] == [
        ("failed", "scripted_fatal"),
        ("failed", "dependency_failed"),
        ("failed", "dependency_failed"),
    ]
    await system.send((execution, 1), "!finish mended")
    await eventually(lambda: over(system, execution, ExecutionState.SUCCEEDED))
    assert (await system.tasks_of(execution))[3]["result"] == "three"


async def test_a_message_to_a_pending_task_is_read_when_it_starts(system: System) -> None:
    execution = await system.start_plan(("!ask go?", ()), ("!finish two", (1,)))
    await eventually(lambda: _states(system, execution, {1: "waiting"}))
    receipt = await system.send((execution, 2), "early")
    assert receipt.state == "pending"
    assert not receipt.rings
    await system.send((execution, 1), "go")
    await eventually(lambda: over(system, execution, ExecutionState.SUCCEEDED))
    assert "two" in str((await system.tasks_of(execution))[2]["result"])
    assert (await system.tasks_of(execution))[2]["unclaimed"] == 0


async def test_kubiyas_signal_reaches_a_task_through_the_plan(system: System) -> None:
    execution = await system.start_plan(
        ("!ask go?", ()),
    )
    await eventually(lambda: _states(system, execution, {1: "waiting"}))
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    await handle.signal("continue_task_signal", {"task_id": 1, "user_message": "typed"})
    await eventually(lambda: over(system, execution, ExecutionState.SUCCEEDED))
    assert (await system.tasks_of(execution))[1]["result"] == "You said: typed"


async def test_what_is_typed_and_reopens_a_task_rings_its_plan(
    postgres: PostgresServer, temporal_server: RunningTemporal
) -> None:
    """As a message by REST does: nobody is left to the relay, which does not ring here."""
    dsn = await postgres.create_database()
    async with running_system(dsn, temporal_server, relay_interval_seconds=3600) as system:
        execution = await system.start_plan(("!ask go?", ()), ("!finish two", ()))
        await eventually(lambda: _states(system, execution, {1: "waiting", 2: "succeeded"}))
        handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))

        async def shows(state: str) -> bool:
            return await handle.query("status") == state

        await eventually(lambda: shows("waiting"))
        await handle.signal("continue_task_signal", {"task_id": 2, "user_message": "!sleep 600"})
        await eventually(lambda: shows("running"))
        await control.cancel_execution(system.baton, system.who, execution)
        await eventually(lambda: over(system, execution, ExecutionState.CANCELLED))


async def test_cancelling_an_execution_cancels_all_its_tasks(system: System) -> None:
    execution = await system.start_plan(("!sleep 60", ()), ("!ask x?", ()), ("!finish y", (1, 2)))
    await eventually(lambda: _states(system, execution, {1: "running", 2: "waiting"}))
    await control.cancel_execution(system.baton, system.who, execution)
    await eventually(lambda: over(system, execution, ExecutionState.CANCELLED))
    assert {task["state"] for task in (await system.tasks_of(execution)).values()} == {"cancelled"}
    handle = system.temporal.client.get_workflow_handle(plan_workflow_id(str(execution)))
    async with asyncio.timeout(20):
        assert await handle.result() == "cancelled"


async def test_each_task_is_done_by_its_agent(system: System) -> None:
    """With that one's tools, policies and limits, also when they change between turns."""
    careful = await system.agent("record", policies={"record": "ask"})
    frugal = await system.agent("look")
    await change_agent(system.baton, system.who, frugal, AgentChange(limits={"max_calls": 1}))
    execution = await system.start_plan(
        ('!tool record {"text": "it"}', ()),
        ('!tool record {"text": "it"}', ()),
        ("!ask one?\n!ask two?\n!finish three", ()),
        agents={1: careful, 3: frugal},
    )
    await eventually(lambda: _states(system, execution, {1: "waiting", 2: "succeeded", 3: "waiting"}))
    tasks = await system.tasks_of(execution)
    assert tasks[1]["open_approvals"][0]["tool"] == "record"
    assert "no tool" in tasks[2]["result"]  # the default agent has none of that name
    description = await system.temporal.client.get_workflow_handle(task_workflow_id(str(tasks[1]["id"]))).describe()
    agent = await get_agent(system.baton, system.who, careful)
    assert description.typed_search_attributes[AGENT] == agent.name
    await system.send((execution, 3), "yes")
    await eventually(lambda: _states(system, execution, {3: "waiting"}))
    (question,) = (await system.tasks_of(execution))[3]["open_questions"]
    assert question["text"].startswith("Used 1 of 1 model call")
    await change_agent(system.baton, system.who, frugal, AgentChange(limits={}))
    await system.send((execution, 3), "go on")
    await eventually(lambda: _asks(system, execution, 3, "two?"))


async def _asks(system: System, execution: UUID, position: int, text: str) -> bool:
    asked = (await system.tasks_of(execution))[position]["open_questions"]
    return [question["text"] for question in asked] == [text]


async def _states(system: System, execution: UUID, wanted: dict[int, str]) -> bool:
    tasks = await system.tasks_of(execution)
    return all(tasks[position]["state"] == state for position, state in wanted.items())
