"""How often a tool is tried, how many of its calls are made at once, and what is never made twice."""

import asyncio
from uuid import UUID

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from baton.agents.tools import load_tools
from baton.domain.conversation import ToolCall
from baton.domain.doubts import HAPPENED, MAY_HAVE_HAPPENED
from baton.domain.events import EventType
from baton.domain.explanation import Reason
from baton.domain.ids import TaskById
from baton.domain.json import JsonObject
from baton.domain.states import SendMode
from baton.service import control
from baton.service.explain import explain_task
from tests.store.world import World
from tests.support.system import System, eventually
from tests.support.tools import calls_of
from tests.workflows.test_given_up_steps import tool_activities_of
from tests.workflows.test_slow_database import locked
from workflows.contracts import TOOL_BUSY, TaskRef, ToolRef

SHUTDOWN = ActivityCancellationDetails(worker_shutdown=True)


async def logged(system: System, task: UUID, kind: EventType) -> list[JsonObject]:
    return [event.data for event in await system.log(await system.execution_of(task)) if event.type == kind]


async def at_work(task: UUID, calls: int = 1) -> None:
    async def called() -> bool:
        return len(calls_of(task)) == calls

    await eventually(called)


@pytest.mark.parametrize("times", [2, 3])
async def test_a_broken_call_is_tried_again_as_often_as_its_tool_says(system: System, times: int) -> None:
    task = await system.start(f'!tool stumble {{"times": {times}}}', await system.agent("stumble"))
    row = await system.until(task, "succeeded", seconds=30)
    sentence = "stumble failed with ConnectionError: the shop is shut"
    assert row["result"] == ("stumble: done" if times == 2 else f"stumble: {sentence}")
    assert calls_of(task) == [("stumble", str(times))] * 3
    assert [data["attempt"] for data in await logged(system, task, EventType.TOOL_STARTED)] == [1, 2, 3]
    assert len(await logged(system, task, EventType.TOOL_COMPLETED)) == 1


async def test_a_call_waits_for_a_slot_of_its_tool(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the worker for a moment, then in Temporal, and explain says why; nothing says that it has started."""
    monkeypatch.setattr("activities.tool_steps.SLOT_SECONDS", 0.2)
    agent = await system.agent("alone")
    first = await system.start('!tool alone {"seconds": 600}', agent)
    await at_work(first)
    second = await system.start('!tool alone {"seconds": 0}', agent)

    async def told() -> Reason | None:
        reasons = (await explain_task(system.baton, system.who, TaskById(second))).reasons
        return next((reason for reason in reasons if reason.code == TOOL_BUSY), None)

    assert (
        await eventually(told)
    ).text == "waits for a free slot of its tool: a worker makes no more calls of it at once"
    assert await logged(system, second, EventType.TOOL_STARTED) == []
    await control.cancel(system.baton, system.who, TaskById(first))
    await system.until(second, "succeeded", seconds=30)
    assert calls_of(second) == [("alone", "0.0")]
    assert [data["attempt"] for data in await logged(system, second, EventType.TOOL_STARTED)] == [1]


async def test_an_interrupted_call_that_may_not_be_repeated_says_what_may_be(system: System) -> None:
    task = await system.start('!tool pay {"seconds": 600}', await system.agent("pay"))
    await at_work(task)
    await system.send(task, "!finish stop", mode=SendMode.INTERRUPT)
    await system.until(task, "succeeded")
    async with system.baton.pool.connection() as connection:
        (made,) = await connection.fetch("SELECT content FROM tool_calls WHERE task_id = $1", task)
    assert made["content"] == MAY_HAVE_HAPPENED
    assert calls_of(task) == [("pay", "600.0")]


async def _asks_to_pay(world: World) -> ToolRef:
    """A task whose first step asks for a call."""
    load_tools(("tests.support.tools",))
    route = await world.task()
    await world.execute("UPDATE agents SET tools = '{pay}' WHERE tenant_id = $1")
    await world.start(route, 1)
    await world.record(route, 1, calls=[ToolCall("p", "pay", {"seconds": 600.0})])
    ref = TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id))
    return ToolRef(ref, 1, 0, "p")


async def test_a_worker_that_stops_during_the_call_leaves_a_question(database_url: str) -> None:
    async with World.open(database_url) as world:
        call = await _asks_to_pay(world)
        environment, activities = ActivityEnvironment(), tool_activities_of(world)
        taken = asyncio.ensure_future(environment.run(activities.tool_step, call))
        await at_work(UUID(call.ref.task))
        environment.worker_shutdown()
        environment.cancel(SHUTDOWN)
        with pytest.raises(ApplicationError, match="step_given_up"):
            await taken
        outcome = await ActivityEnvironment().run(activities.tool_step, call)
        assert (outcome.state, len(calls_of(call.ref.task))) == ("waiting", 1)
        asked = outcome.details.split("```")[1].strip()
        assert asked == "Did this call of pay happen? Its worker stopped during the call."
        (task,) = await world.rows("SELECT open_questions FROM tasks WHERE tenant_id = $1")
        assert task["open_questions"][0]["choices"][0] == HAPPENED


async def test_a_worker_that_stops_before_the_call_leaves_none(database_url: str) -> None:
    async with World.open(database_url) as world:
        call = await _asks_to_pay(world)
        environment, activities = ActivityEnvironment(), tool_activities_of(world)
        environment.worker_shutdown()
        async with locked(database_url, UUID(call.ref.execution)):
            taken = asyncio.ensure_future(environment.run(activities.tool_step, call))
            await world.blocked(1)
            environment.cancel(SHUTDOWN)
        with pytest.raises(ApplicationError, match="step_given_up"):
            await taken
        assert calls_of(call.ref.task) == []
        (row,) = await world.rows("SELECT state, attempt FROM tool_calls WHERE tenant_id = $1")
        assert tuple(row) == ("pending", 1)
