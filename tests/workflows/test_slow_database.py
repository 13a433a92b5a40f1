"""A database that lets activities wait: what was done is not done again, what was asked meanwhile is heard."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from baton.agents.tools import load_tools
from baton.domain.conversation import ToolCall
from baton.domain.errors import Unavailable
from baton.domain.ids import TaskRoute
from tests.store.world import World
from tests.support.postgres import PostgresServer
from tests.support.system import System, eventually, running_system
from tests.support.temporal import RunningTemporal
from tests.support.tools import calls_of
from tests.workflows.test_given_up_steps import activities_of, tool_activities_of
from workflows.contracts import StepRef, TaskRef, ToolRef

INTERRUPT = ActivityCancellationDetails(cancel_requested=True)
SHUTDOWN = ActivityCancellationDetails(worker_shutdown=True)


@pytest.fixture(scope="module")
async def hasty(postgres: PostgresServer, temporal_server: RunningTemporal) -> AsyncGenerator[System]:
    """A Baton that gives a statement up after a second."""
    dsn = await postgres.create_database()
    async with running_system(
        dsn, temporal_server, tools_modules=("tests.support.tools",), statement_timeout_seconds=1
    ) as running:
        yield running


@asynccontextmanager
async def locked(dsn: str, execution: UUID) -> AsyncGenerator[None]:
    """Nobody else changes anything of an execution while in here."""
    blocker = await asyncpg.connect(dsn)
    try:
        async with blocker.transaction():
            await blocker.fetch("SELECT FROM executions WHERE id = $1 FOR UPDATE", execution)
            yield
    finally:
        await blocker.close()


async def test_a_call_whose_result_waits_for_the_database_is_not_made_again(system: System) -> None:
    await _call_and_wait(system)


async def test_nor_one_whose_result_cannot_be_recorded_for_a_while(hasty: System) -> None:
    await _call_and_wait(hasty)


async def _call_and_wait(system: System) -> None:
    """For longer than it takes Temporal to give up a worker that it does not hear of."""
    task = await system.start('!tool linger {"seconds": 0.5}', await system.agent("linger"))

    async def at_work() -> bool:
        return bool(calls_of(task))

    await eventually(at_work)
    async with locked(system.baton.settings.dsn, await system.execution_of(task)):
        await asyncio.sleep(9)  # heartbeats are missed after six
    row = await system.until(task, "succeeded")
    assert row["result"] == "linger: done"
    assert calls_of(task) == [("linger", "0.5")]


@pytest.mark.parametrize("where", ["make_call", "tools.record_tool"])
async def test_a_call_that_finds_no_database_is_none_that_killed_its_worker(
    database_url: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    async def is_away(*_: object) -> None:
        raise Unavailable("the database cannot be reached")

    async with World.open(database_url) as world:
        route = await world.task()
        load_tools(("tests.support.tools",))
        await _asks_for_a_call(world, route, seconds=0.0)
        monkeypatch.setattr(f"activities.tool_steps.{where}", is_away)
        monkeypatch.setattr("activities.recording.RECORD_PAUSES", ())
        ref = TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id))
        with pytest.raises(Unavailable):
            await ActivityEnvironment().run(tool_activities_of(world).tool_step, ToolRef(ref, 1, 0, "slow"))
        (call,) = await world.rows("SELECT state, attempt, survived FROM tool_calls WHERE tenant_id = $1")
        assert tuple(call) == ("running", 1, 1)


async def test_a_failure_that_finds_no_database_is_none_that_killed_its_worker(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_away(*_: object) -> None:
        raise Unavailable("the database cannot be reached")

    async with World.open(database_url) as world:
        route = await world.task()
        await world.execute("UPDATE tasks SET description = '!fail 9 away' WHERE tenant_id = $1")
        monkeypatch.setattr("activities.steps.failures.count_failure", is_away)
        ref = TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id))
        with pytest.raises(Unavailable):
            await ActivityEnvironment().run(activities_of(world).model_step, StepRef(ref, 1, 0))
        (step,) = await world.steps(route)
        assert (step["state"], step["attempt"], step["survived"]) == ("running", 1, 1)


@pytest.mark.parametrize("details", [INTERRUPT, SHUTDOWN])
@pytest.mark.parametrize("what", ["model_step", "tool_step"])
async def test_a_cancel_is_heard_though_it_comes_while_the_step_waits_to_begin(
    database_url: str, what: str, details: ActivityCancellationDetails
) -> None:
    async with World.open(database_url) as world:
        route = await world.task()
        await world.execute("UPDATE tasks SET description = '!sleep 600' WHERE tenant_id = $1")
        ref = TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id))
        environment = ActivityEnvironment()
        if details.worker_shutdown:
            environment.worker_shutdown()
        if what == "tool_step":
            load_tools(("tests.support.tools",))
            await _asks_for_a_call(world, route)
            work = environment.run(tool_activities_of(world).tool_step, ToolRef(ref, 1, 0, "slow"))
        else:
            work = environment.run(activities_of(world).model_step, StepRef(ref, 1, 0))
        async with locked(database_url, route.execution_id):
            taken = asyncio.ensure_future(work)
            await world.blocked(1)
            environment.cancel(details)
        ended, _ = await asyncio.wait({taken}, timeout=10)
        assert ended, "it goes on as if nobody had said anything"
        if details.worker_shutdown:
            with pytest.raises(ApplicationError, match="step_given_up"):
                await taken
            assert (await world.box(route)).turn_open, "left to the worker that comes next"
        elif what == "model_step":
            await taken
            assert not (await world.box(route)).turn_open
        else:
            await taken
            (made,) = await world.rows("SELECT state, content FROM tool_calls WHERE tenant_id = $1")
            assert (made["state"], made["content"]) == ("done", "interrupted")


async def _asks_for_a_call(world: World, route: TaskRoute, seconds: float = 600) -> None:
    await world.start(route, 1)
    await world.record(route, 1, calls=[ToolCall("slow", "linger", {"seconds": seconds})])
