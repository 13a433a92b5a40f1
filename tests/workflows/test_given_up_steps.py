"""A step that Temporal gives up, because it has not heard of it for a while, is not one that somebody interrupted."""

import asyncio

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.deltas import DeltaWriter
from activities.interrupts import Interrupts
from activities.steps import StepActivities
from baton.agents.models import Models
from baton.domain.bells import TaskBell
from baton.domain.ids import PlanRoute, StepKey, TaskRoute
from baton.store import failures, steps, transcripts
from baton.store.steps import StepAttempt
from tests.store.world import World
from tests.support.system import eventually, running_system
from tests.support.temporal import RunningTemporal
from workflows.contracts import StepRef, TaskRef

GIVEN_UP = (
    ActivityCancellationDetails(not_found=True),
    ActivityCancellationDetails(timed_out=True),
    ActivityCancellationDetails(paused=True),
    ActivityCancellationDetails(reset=True),
)


class NobodyRings:
    """A single task's step rings nothing."""

    def ring_for(self, route: TaskRoute, bell: TaskBell) -> object:
        raise AssertionError

    def ring_plan(self, route: PlanRoute, seq: int) -> object:
        raise AssertionError


def activities_of(world: World) -> StepActivities:
    deltas = DeltaWriter(world.pool, lambda _: None, 0.01)
    return StepActivities(world.pool, Models(), deltas, Interrupts(), NobodyRings(), lambda _: None)


@pytest.mark.parametrize("details", GIVEN_UP)
async def test_the_turn_stays_open_for_the_next_attempt(
    database_url: str, details: ActivityCancellationDetails
) -> None:
    async with World.open(database_url) as world:
        route = await world.task()
        await world.execute("UPDATE tasks SET description = '!stream 100000' WHERE tenant_id = $1")
        environment, taken = await _working(world, route)
        environment.cancel(details)
        with pytest.raises(ApplicationError) as failure:
            await taken
        assert (failure.value.type, failure.value.non_retryable) == ("step_given_up", False)
        box = await world.box(route)
        assert (box.turn, box.turn_open) == (1, True)
        assert [step["state"] for step in await world.steps(route)] == ["running"]


async def test_a_cancel_of_the_workflow_ends_the_turn(database_url: str) -> None:
    async with World.open(database_url) as world:
        route = await world.task()
        await world.execute("UPDATE tasks SET description = '!stream 100000' WHERE tenant_id = $1")
        environment, taken = await _working(world, route)
        environment.cancel(ActivityCancellationDetails(cancel_requested=True))
        await taken
        assert not (await world.box(route)).turn_open
        assert [step["state"] for step in await world.steps(route)] == ["interrupted"]


async def _working(world: World, route: TaskRoute) -> tuple[ActivityEnvironment, "asyncio.Task[object]"]:
    """The task's first step, streaming."""
    environment = ActivityEnvironment()
    ref = StepRef(TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id)), 1, 0)
    taken = asyncio.create_task(environment.run(activities_of(world).model_step, ref))

    async def streams() -> bool:
        return bool(await world.rows("SELECT FROM events WHERE tenant_id = $1 AND type = 'text.delta'"))

    await eventually(streams)
    return environment, taken


async def test_a_step_that_no_worker_survives_is_given_up_for_good(database_url: str) -> None:
    """Attempts that end without a word are counted; those that say that they were given up are not."""
    async with World.open(database_url) as world:
        route = await world.task()
        key = StepKey(route.tenant_id, route.execution_id, route.task_id, 1, 0)

        async def start() -> StepAttempt:
            async with world.pool.transaction() as connection:
                started = await steps.start_step(connection, key)
            assert isinstance(started, StepAttempt)
            return started

        first = await start()
        async with world.pool.connection() as connection:
            await failures.survived(connection, key, first.attempt)
        assert [(await start()).deaths for _ in range(3)] == [0, 1, 2]
        ref = StepRef(TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id)), 1, 0)
        with pytest.raises(ApplicationError) as failure:
            await ActivityEnvironment().run(activities_of(world).model_step, ref)
        assert (failure.value.type, failure.value.non_retryable) == ("worker_died", True)


async def test_a_task_whose_messages_are_more_than_a_step_may_read_fails_and_reads_smaller_ones(
    database_url: str, temporal_server: RunningTemporal
) -> None:
    async with running_system(database_url, temporal_server, transcript_max_bytes=10_000) as system:
        task = await system.start("!ask go?")
        await system.until(task, "waiting")
        await system.send(task, "x" * 20_000)
        row = await system.until(task, "failed")
        assert row["error_code"] == "transcript_too_large"
        async with system.baton.pool.connection() as connection:
            dead = await connection.fetch("SELECT state, reason FROM messages WHERE task_id = $1", task)
        assert [tuple(message) for message in dead] == [("dead", "transcript_too_large")]
        await system.send(task, "a short one")
        row = await system.until(task, "succeeded")
        assert row["result"] == "You said: a short one"
        async with system.baton.pool.connection() as connection:
            read = await transcripts.read(connection, system.who.tenant_id, task)
        assert [message.text for turn in read.turns for message in turn.messages] == ["a short one"]
