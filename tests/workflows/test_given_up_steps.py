"""A step that Temporal gives up, because it has not heard of it for a while, is not one that somebody interrupted."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.deltas import DeltaWriter
from activities.interrupts import Interrupts
from activities.steps import StepActivities
from activities.suspects import PUT_OFF, SUSPICIOUS, Suspects
from activities.tool_steps import ToolActivities
from baton.agents.models import Models
from baton.domain.bells import TaskBell
from baton.domain.conversation import ModelReply
from baton.domain.ids import PlanRoute, StepKey, TaskRoute
from baton.store import failures, steps, transcripts
from baton.store.failures import FailedAttempt, FailureVerdict
from baton.store.steps import StepAttempt
from tests.store.world import World
from tests.support.system import System, eventually, running_system
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
    suspects = Suspects(world.pool)
    return StepActivities(world.pool, Models(), deltas, Interrupts(), suspects, NobodyRings(), lambda _: None)


def tool_activities_of(world: World) -> ToolActivities:
    return ToolActivities(world.pool, Interrupts(), Suspects(world.pool), NobodyRings(), lambda _: None)


def key_of(route: TaskRoute) -> StepKey:
    """The first step of a task's first turn."""
    return StepKey(route.tenant_id, route.execution_id, route.task_id, 1, 0)


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
    await eventually(lambda: _streams(world))
    return environment, taken


async def test_a_step_that_no_worker_survives_is_given_up_for_good(database_url: str) -> None:
    """Attempts that end without a word are counted; those that say that they were given up are not."""
    async with World.open(database_url) as world:
        route = await world.task()
        key = key_of(route)

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
        assert (await world.row(route))["model_calls"] == 3, "each that was lost is one call"


def never_judged(_failed: int, _seconds: float) -> tuple[FailureVerdict, float]:
    """An attempt that was overtaken is judged by the one that overtook it."""
    raise AssertionError


async def test_an_attempt_that_was_overtaken_is_no_death(database_url: str) -> None:
    """Temporal has not heard of it for a while, and another worker tries again: nobody has died."""
    async with World.open(database_url) as world:
        for overtaken in ("given up", "recorded too late", "failed too late"):
            route = await world.task()
            first, second = await world.start(route, 1), await world.start(route, 1)
            assert isinstance(first, StepAttempt)
            assert isinstance(second, StepAttempt)
            async with world.pool.transaction() as connection:
                if overtaken == "given up":
                    await failures.survived(connection, key_of(route), first.attempt)
                elif overtaken == "recorded too late":
                    reply = ModelReply("late", (), {"parts": []})
                    await steps.record_step(connection, key_of(route), first.attempt, reply, (), (), ())
                else:
                    late = FailedAttempt("model_unavailable")
                    await failures.count_failure(connection, key_of(route), first.attempt, late, (), never_judged)
            third = await world.start(route, 1)
            assert isinstance(third, StepAttempt)
            assert third.deaths == 1, f"{overtaken}: the second is all that has said nothing"


async def test_of_steps_that_workers_died_beside_one_is_taken_at_a_time(database_url: str) -> None:
    """One of them may be the cause. The others wait elsewhere, and no death of its counts against them."""
    async with World.open(database_url) as world:
        activities = activities_of(world)
        routes = [await world.task(), await world.task()]
        await world.execute("UPDATE tasks SET description = '!stream 100000' WHERE tenant_id = $1")
        for route in routes:
            for _ in range(SUSPICIOUS):
                await world.start(route, 1)

        def tried(route: TaskRoute, attempt: int) -> tuple[ActivityEnvironment, "asyncio.Task[object]"]:
            environment = ActivityEnvironment()
            environment.info = replace(environment.info, attempt=attempt)
            ref = StepRef(TaskRef(str(route.tenant_id), str(route.execution_id), str(route.task_id)), 1, 0)
            return environment, asyncio.create_task(environment.run(activities.model_step, ref))

        one, working = tried(routes[0], SUSPICIOUS + 1)
        await eventually(lambda: _streams(world))
        for attempt in (3, 4, 5):
            with pytest.raises(ApplicationError) as put_off:
                await tried(routes[1], attempt)[1]
            assert put_off.value.type == PUT_OFF
        (step,) = await world.steps(routes[1])
        assert step["attempt"] == SUSPICIOUS, "nothing has begun"
        one.cancel(ActivityCancellationDetails(cancel_requested=True))
        await working
        other, working = tried(routes[1], 6)
        await eventually(lambda: _attempt_is(world, routes[1], SUSPICIOUS + 1))
        other.cancel(ActivityCancellationDetails(cancel_requested=True))
        await working


async def _streams(world: World) -> bool:
    return bool(await world.rows("SELECT FROM events WHERE tenant_id = $1 AND type = 'text.delta'"))


async def _attempt_is(world: World, route: TaskRoute, attempt: int) -> bool:
    return bool((await world.steps(route))[0]["attempt"] == attempt)


async def test_a_task_whose_messages_are_more_than_a_step_may_read_asks_and_reads_smaller_ones(
    database_url: str, temporal_server: RunningTemporal
) -> None:
    async with running_system(database_url, temporal_server, transcript_max_bytes=10_000) as system:
        task = await system.start("!ask go?")
        await system.until(task, "waiting")
        await system.send(task, "x" * 20_000)
        await asks(system, task, "KiB to read")
        await system.send(task, "Stop")
        row = await system.until(task, "failed")
        assert row["error_code"] == "transcript_too_large"
        async with system.baton.pool.connection() as connection:
            dead = await connection.fetch("SELECT state, reason FROM messages WHERE task_id = $1 AND turn = 3", task)
        assert [tuple(message) for message in dead] == [("dead", "transcript_too_large")]
        await system.send(task, "a short one")
        row = await system.until(task, "succeeded")
        assert row["result"].endswith("You said: a short one")
        assert "Stop" not in row["result"]


async def test_a_task_reads_longer_messages_with_their_middles_left_out(
    database_url: str, temporal_server: RunningTemporal
) -> None:
    async with running_system(database_url, temporal_server, transcript_max_bytes=10_000) as system:
        task = await system.start("!ask go?")
        await system.until(task, "waiting")
        await system.send(task, "begin" + "x" * 20_000 + "end")
        await asks(system, task, "a step reads 9.8 KiB at most")
        await system.send(task, "Go on")
        row = await system.until(task, "succeeded")
        assert row["result"].endswith("You said: Go on")
        async with system.baton.pool.connection() as connection:
            read = await transcripts.read(connection, system.who.tenant_id, task, longest=1000)
        (text,) = [message.text for message in read.turns[1].messages]
        assert (text[:5], text[-3:], "the middle is left out" in text, len(text) < 1000) == ("begin", "end", True, True)


async def asks(system: System, task: UUID, text: str) -> None:
    """Wait until the task asks that."""

    async def there() -> bool:
        row = await system.row(task)
        return row["state"] == "waiting" and text in str(row["open_questions"])

    await eventually(there)
