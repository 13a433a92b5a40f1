"""What steps have used: added up beside the task as it is recorded, and told by events, to the same sum."""

from dataclasses import replace

import pytest

from baton.domain.conversation import ModelReply, Usage
from baton.domain.events import StepCompleted, StepFailed, StepUsed
from baton.domain.ids import TaskRoute, whole_tenant
from baton.domain.mailbox import Standing, Then
from baton.store import executions, failures, steps, tasks, transcripts
from baton.store.failures import FailedAttempt, FailureVerdict
from tests.store.world import World, call, key, question

USED = Usage(100, 20, 60, 5, 0.25, 1)
NOTHING = Usage()


async def record(world: World, route: TaskRoute, step: int = 0, attempt: int = 1, usage: Usage = USED) -> None:
    """A worker records a step that calls a tool, so that its turn goes on."""
    calls = [call(f"c{step}")]
    async with world.pool.transaction() as connection:
        reply = ModelReply("", tuple(calls), {"text": ""}, usage)
        await steps.record_step(connection, key(route, 1, step), attempt, reply, (), (), ())


async def survive(world: World, route: TaskRoute, attempt: int, usage: Usage) -> None:
    async with world.pool.transaction() as connection:
        await failures.survived(connection, key(route, 1), attempt, usage)


async def fail(world: World, route: TaskRoute, attempt: int, usage: Usage) -> None:
    def judge(count: int, seconds: float) -> tuple[FailureVerdict, float]:
        return FailureVerdict.TRY_AGAIN, 0.0

    async with world.pool.transaction() as connection:
        await failures.count_failure(
            connection, key(route, 1), attempt, FailedAttempt("model_cut_off", usage=usage), (), judge
        )


async def told(world: World, route: TaskRoute) -> Usage:
    """What the events say, found to be what the task's row and its steps' rows say."""
    said = NOTHING
    for event in await world.log(route):
        if isinstance(event.body, StepCompleted | StepFailed | StepUsed):
            said += event.body.usage or NOTHING
    async with world.pool.connection() as connection:
        view = await tasks.view(connection, world.tenant, route.task_id)
    assert view is not None
    assert view.usage == said
    rows = [tasks.usage_of(row) for row in await world.steps(route)]
    assert sum(rows, NOTHING) == said
    return said


@pytest.fixture
async def route(world: World) -> TaskRoute:
    """A task whose first step is at work."""
    one = await world.task()
    await world.start(one, 1)
    return one


async def test_steps_add_up(world: World, route: TaskRoute) -> None:
    assert await told(world, route) == NOTHING
    await record(world, route)
    await world.start(route, 1, 1)
    await record(world, route, 1, usage=Usage(1, 1, 0, 0, None, 1))
    assert await told(world, route) == Usage(101, 21, 60, 5, 0.25, 2)


async def test_failed_attempts_count(world: World, route: TaskRoute) -> None:
    await fail(world, route, 1, Usage(10, 1, calls=1))
    await world.start(route, 1)
    await fail(world, route, 2, NOTHING)
    await world.start(route, 1)
    await record(world, route, attempt=3)
    assert await told(world, route) == Usage(110, 21, 60, 5, 0.25, 2)


async def test_an_attempt_that_was_lost_with_its_worker_is_one_call(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await world.start(route, 1)
    async with world.pool.connection() as connection:
        budget = await transcripts.budget(connection, world.tenant, route.task_id, 1)
    assert (budget.spent.calls, budget.spent.calls_in_turn) == (2, 2)
    await record(world, route, attempt=3, usage=Usage(10, 1, calls=2))
    assert await told(world, route) == Usage(10, 1, calls=4)


async def test_an_attempt_that_was_given_up_counts_what_it_used(world: World, route: TaskRoute) -> None:
    await survive(world, route, 1, Usage(10, 1, calls=1))
    assert await told(world, route) == Usage(10, 1, calls=1)
    await world.start(route, 1)
    await survive(world, route, 2, NOTHING)
    await world.start(route, 1)
    await record(world, route, attempt=3)
    assert await told(world, route) == Usage(110, 21, 60, 5, 0.25, 2)


async def test_an_attempt_that_comes_too_late_is_counted_once(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await record(world, route, attempt=1)
    assert await told(world, route) == USED
    await record(world, route, attempt=2, usage=Usage(10, 1, calls=1))
    assert await told(world, route) == Usage(110, 21, 60, 5, 0.25, 2)


async def test_one_that_comes_after_it_was_counted_as_lost_adds_the_rest(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await record(world, route, attempt=2, usage=Usage(10, 1, calls=1))
    await record(world, route, attempt=1)
    assert await told(world, route) == Usage(110, 21, 60, 5, 0.25, 2)


async def test_what_is_recorded_twice_counts_once(world: World, route: TaskRoute) -> None:
    await record(world, route)
    log = await world.log(route)
    await record(world, route)
    assert await told(world, route) == USED
    assert await world.log(route) == log


async def test_an_attempt_whose_task_was_cancelled_meanwhile_counts(world: World, route: TaskRoute) -> None:
    await world.cancel(route)
    async with world.pool.transaction() as connection:
        partial = ModelReply("half", (), {"text": "half"}, replace(USED, usd=None))
        await steps.record_interrupted(connection, key(route, 1), 1, partial, ())
    assert await told(world, route) == replace(USED, usd=None)
    assert (await world.row(route))["state"] == "cancelled"


async def test_an_execution_has_used_what_its_tasks_have(world: World) -> None:
    plan = await world.plan((), ())
    await world.advance(plan[0])
    for one in plan:
        await world.start(one, 1)
        await record(world, one)
    async with world.pool.connection() as connection:
        view = await executions.view(connection, world.tenant, plan[0].execution_id)
        (listed,) = await executions.page(connection, whole_tenant(world.tenant), limit=10)
    assert view is not None
    assert view.usage == listed.usage == USED + USED


async def ask(world: World, route: TaskRoute, attempt: int) -> Standing:
    """A worker has the task ask what a limit asks."""
    asking = replace(question("limit"), call_id="baton:max_calls")
    async with world.pool.transaction() as connection:
        return await failures.ask_instead(connection, key(route, 1), attempt, asking)


async def test_lost_attempts_are_told_by_one_that_asks_no_model(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await survive(world, route, 2, NOTHING)
    assert await told(world, route) == Usage(calls=1)
    await world.start(route, 1)
    await world.start(route, 1)
    await ask(world, route, 4)
    assert await told(world, route) == Usage(calls=2)


@pytest.mark.parametrize("text", ["", "half"])
async def test_lost_attempts_are_told_where_the_turn_is_interrupted(world: World, route: TaskRoute, text: str) -> None:
    await world.start(route, 1)
    if text:
        await world.stream(route, 1, text, attempt=2)
    await world.pause(route)
    await world.start(route, 1)
    assert await told(world, route) == Usage(calls=2)
    assert (await world.steps(route))[0]["state"] == "interrupted"


async def test_a_question_that_comes_too_late_changes_nothing(world: World, route: TaskRoute) -> None:
    await world.cancel(route)
    log, row = await world.log(route), await world.row(route)
    assert (await ask(world, route, 1)).then is Then.REST
    assert await world.log(route) == log
    assert await world.row(route) == row


async def test_a_question_of_an_interrupted_turn_does_not_end_the_next(world: World, route: TaskRoute) -> None:
    await world.pause(route)
    await world.interrupted(route, 1)
    await world.send(route)
    await world.start(route, 2)
    await ask(world, route, 1)
    assert (await world.box(route)).turn_open


async def test_waiting_for_what_another_task_asks_takes_none_of_the_time(world: World) -> None:
    one, other = await world.plan((), ())
    await world.advance(one)
    await world.execute(
        "UPDATE executions SET limits = $3 WHERE tenant_id = $1 AND id = $2", one.execution_id, {"max_seconds": 60}
    )
    await world.start(one, 1)
    await world.start(other, 1)
    await begun_long_ago(world, other)
    assert await seconds(world, one) > 80_000
    await survive(world, other, 1, NOTHING)
    assert await seconds(world, one) < 1000
    await world.start(other, 1)
    assert await seconds(world, one) < 1000
    await survive(world, other, 2, Usage(10, 1, calls=1))
    await begun_long_ago(world, other)
    await world.start(other, 1)
    assert await seconds(world, one) > 80_000, "an attempt that has asked a model was at work"


async def begun_long_ago(world: World, route: TaskRoute) -> None:
    """The task's step has been under way for a day."""
    await world.execute(
        "UPDATE steps SET started_at = now() - interval '1 day' WHERE tenant_id = $1 AND task_id = $2", route.task_id
    )


async def seconds(world: World, route: TaskRoute) -> float:
    """What all tasks of the plan have used of its time."""
    async with world.pool.connection() as connection:
        budget = await transcripts.budget(connection, world.tenant, route.task_id, 1)
    assert budget.limits.plan is not None
    return budget.limits.plan.spent.seconds
