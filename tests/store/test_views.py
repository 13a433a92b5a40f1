"""Do reads show what is there, and nothing of another tenant?"""

from typing import Any
from uuid import UUID, uuid4

from baton.domain.conversation import Usage
from baton.domain.ids import Bounds, whole_tenant
from baton.domain.states import ExecutionState, MessageState, TaskState
from baton.store import executions, message_views, tasks
from baton.store.queries import all_queries
from tests.store.world import World


async def test_a_task_as_it_is(world: World) -> None:
    waiting = await world.in_state(TaskState.WAITING)
    done = await world.in_state(TaskState.SUCCEEDED)
    await world.send(done, "more")
    async with world.pool.connection() as connection:
        one = await tasks.view(connection, world.tenant, waiting.task_id)
        other = await tasks.view(connection, world.tenant, done.task_id)
        execution = await executions.view(connection, world.tenant, waiting.execution_id)
        assert await tasks.view(connection, uuid4(), waiting.task_id) is None
        assert await executions.view(connection, uuid4(), waiting.execution_id) is None
    assert one is not None
    assert (one.state, [question.id for question in one.questions]) == (TaskState.WAITING, ["q"])
    assert one.waiting_since is not None
    assert (one.agent.id, one.agent.number) == (world.agent.id, world.agent.number)
    assert other is not None
    assert (other.state, other.queued) == (TaskState.RUNNING, 1)
    assert execution is not None
    assert (execution.state, execution.tasks, execution.counts) == (
        ExecutionState.WAITING,
        (one,),
        {TaskState.WAITING: 1},
    )


async def test_pages_of_executions(world: World) -> None:
    routes = [await world.task() for _ in range(5)]
    (plan, *_) = await world.plan((), ())
    await world.cancel(routes[0])
    newest_first = [plan.execution_id, *(route.execution_id for route in reversed(routes))]
    async with world.pool.connection() as connection:
        seen = await executions.page(connection, whole_tenant(world.tenant), limit=4)
        assert [view.id for view in seen] == newest_first[:4]
        assert seen[0].counts == {TaskState.PENDING: 2}
        after = await executions.page(
            connection, whole_tenant(world.tenant), limit=10, after=(seen[-1].created_at, seen[-1].id)
        )
        assert [view.id for view in after] == newest_first[4:]
        offset = await executions.page(connection, whole_tenant(world.tenant), limit=2, offset=3)
        assert [view.id for view in offset] == newest_first[3:5]
        filtered: list[tuple[dict[str, Any], list[UUID]]] = [
            ({"in_plan": True}, newest_first[:1]),
            ({"in_plan": False}, newest_first[1:]),
            ({"states": [ExecutionState.CANCELLED]}, newest_first[-1:]),
            ({"states": []}, []),
        ]
        for filters, expected in filtered:
            found = await executions.page(connection, whole_tenant(world.tenant), limit=10, **filters)
            assert [view.id for view in found] == expected
            count = await executions.count(connection, whole_tenant(world.tenant), **filters)
            assert count == len(expected)
        for agent_id, expected in ((world.agent.id, newest_first), (uuid4(), [])):
            bounds = Bounds(world.tenant, agent_id)
            found = await executions.page(connection, bounds, limit=10)
            assert [view.id for view in found] == expected
            assert await executions.count(connection, bounds) == len(expected)
        assert await executions.page(connection, whole_tenant(uuid4()), limit=10) == []
        assert await executions.count(connection, whole_tenant(uuid4())) == 0
        singles = await tasks.single_tasks(connection, whole_tenant(world.tenant), limit=10)
        assert [task.execution_id for task in singles] == newest_first[1:]
        assert all(task.usage == Usage() for task in singles)
        assert await tasks.single_tasks(connection, whole_tenant(uuid4()), limit=10) == []


async def test_who_waits_longest_comes_first(world: World) -> None:
    waiting = [await world.in_state(TaskState.WAITING) for _ in range(4)]
    await world.in_state(TaskState.RUNNING)
    async with world.pool.connection() as connection:
        first = await tasks.waiting(connection, whole_tenant(world.tenant), limit=3)
        assert [task.id for task in first] == [route.task_id for route in waiting[:3]]
        since = first[-1].waiting_since
        assert since is not None
        rest = await tasks.waiting(connection, whole_tenant(world.tenant), limit=3, after=(since, first[-1].id))
        assert [task.id for task in rest] == [waiting[3].task_id]
        assert await tasks.waiting(connection, whole_tenant(uuid4()), limit=3) == []
    await world.send(waiting[0], "an answer")
    async with world.pool.connection() as connection:
        left = await tasks.waiting(connection, whole_tenant(world.tenant), limit=9)
    assert [task.id for task in left] == [route.task_id for route in waiting[1:]]


async def test_tasks_by_state_and_execution(world: World) -> None:
    plan = await world.plan((), (1,), (1,))
    single = await world.task()
    async with world.pool.connection() as connection:
        everything = await tasks.page(connection, whole_tenant(world.tenant), limit=10)
        assert [task.id for task in everything] == [single.task_id, *(route.task_id for route in reversed(plan))]
        older = await tasks.page(connection, whole_tenant(world.tenant), limit=2, before=everything[1].number)
        assert [task.id for task in older] == [plan[1].task_id, plan[0].task_id]
        of_plan = await tasks.page(connection, whole_tenant(world.tenant), limit=9, execution_id=plan[0].execution_id)
        assert len(of_plan) == 3
        assert await tasks.page(connection, whole_tenant(world.tenant), limit=9, states=[TaskState.FAILED]) == []
        assert await tasks.page(connection, whole_tenant(uuid4()), limit=9) == []


async def test_messages_and_what_became_of_them(world: World) -> None:
    route = await world.task()
    first, second = await world.send(route, "one"), await world.send(route, "two")
    await world.start(route, 1)
    third = await world.send(route, "three")
    async with world.pool.connection() as connection:
        listed = await message_views.page(connection, world.tenant, route.task_id, after=0, limit=2)
        assert [(m.seq, m.text, m.state, m.turn) for m in listed] == [
            (1, "one", MessageState.CLAIMED, 1),
            (2, "two", MessageState.CLAIMED, 1),
        ]
        assert [m.id for m in listed] == [first.message_id, second.message_id]
        (rest,) = await message_views.page(connection, world.tenant, route.task_id, after=2, limit=2)
        assert (rest.id, rest.state, rest.claimed_at) == (third.message_id, MessageState.ACCEPTED, None)
        assert await message_views.view(connection, world.tenant, third.message_id) == rest
        assert await message_views.view(connection, uuid4(), third.message_id) is None
        assert await message_views.page(connection, uuid4(), route.task_id, after=0, limit=2) == []


async def test_a_plans_tasks_are_read_in_one_scan(world: World) -> None:
    """Right after thousands of them were written, a join of them with themselves is planned as if they were few."""
    route, *_ = await world.plan((), ())
    query = all_queries()["tasks_of_execution"]
    values = query.values({"tenant": world.tenant, "execution": route.execution_id, "most_bytes": 1})
    async with world.pool.connection() as connection:
        lines = [row[0] for row in await connection.fetch(f"EXPLAIN {query.text}", *values)]
    assert sum(" on tasks" in line for line in lines) == 1, lines
