"""Is an execution there whole, or not at all, with the log that says so?"""

from uuid import UUID, uuid4

import asyncpg
import pytest

from baton.domain.events import EventType, TaskStarted
from baton.domain.states import ExecutionState, TaskState
from baton.store import creation, events, executions
from baton.store.creation import NewExecution, NewTask
from tests.store.world import World


def new(world: World, *tasks: NewTask, in_plan: bool = True) -> NewExecution:
    """An execution that is to be made."""
    return NewExecution(
        tenant_id=world.tenant,
        id=uuid4(),
        in_plan=in_plan,
        agent_id=world.agent.id,
        title="Ünï 😀\n",
        summary="s",
        queue="q",
        tasks=tasks,
        plan={"a": [1, 2.5, None, {"b": "c"}]},
        plan_generation_id="g",
        metadata={"m": True},
    )


async def ring(world: World, table: str, one: UUID) -> object:
    """When the relay rings a row."""
    async with world.pool.connection() as connection:
        return await connection.fetchval(f"SELECT ring_at - created_at FROM {table} WHERE id = $1", one)


async def test_a_plan_begins_pending(world: World) -> None:
    tasks = (NewTask(uuid4(), 7, "b", "do b", (-3,)), NewTask(uuid4(), -3, "a", "do\na", ()))
    made = new(world, *tasks)
    async with world.pool.connection() as connection:
        await creation.create(connection, made, ring_seconds=3)
        view = await executions.view(connection, world.tenant, made.id)
        log = await events.after(connection, world.tenant, made.id, 0, 10)
    assert view is not None
    assert view.tasks is not None
    assert (view.title, view.plan, view.metadata) == (made.title, made.plan, made.metadata)
    assert (view.state, view.started_at, view.last_event) == (ExecutionState.PENDING, None, 1)
    assert [(t.position, t.description, t.depends_on, t.state, t.version) for t in view.tasks] == [
        (-3, "do\na", (), TaskState.PENDING, 1),
        (7, "do b", (-3,), TaskState.PENDING, 1),
    ]
    (created,) = log
    assert (created.type, created.execution_state, created.task_id) == (
        EventType.EXECUTION_CREATED,
        ExecutionState.PENDING,
        None,
    )
    assert created.data == {
        "title": made.title,
        "tasks": [{"id": str(t.id), "position": t.position, "title": t.title} for t in tasks],
    }
    assert str(await ring(world, "executions", made.id)) == "0:00:03"
    assert await ring(world, "tasks", tasks[0].id) is None


async def test_a_single_task_runs_at_once(world: World) -> None:
    task = NewTask(uuid4(), 1, "a", "do a")
    made = new(world, task, in_plan=False)
    async with world.pool.connection() as connection:
        await creation.create(connection, made, ring_seconds=3)
        view = await executions.view(connection, world.tenant, made.id)
        log = await events.after(connection, world.tenant, made.id, 0, 10)
    assert view is not None
    assert view.started_at is not None
    assert (view.state, view.counts, view.last_event) == (ExecutionState.RUNNING, {TaskState.RUNNING: 1}, 2)
    assert [(e.seq, e.type, e.task_id, e.position, e.task_state, e.execution_state) for e in log] == [
        (1, EventType.EXECUTION_CREATED, None, None, None, None),
        (2, EventType.TASK_STARTED, task.id, 1, TaskState.RUNNING, ExecutionState.RUNNING),
    ]
    assert log[1].body == TaskStarted(title="a")  # as in a plan: Kubiya's stream reads it
    assert await ring(world, "executions", made.id) is None
    assert str(await ring(world, "tasks", task.id)) == "0:00:03"


async def test_nothing_is_left_of_what_could_not_be_made(world: World) -> None:
    twice = new(world, NewTask(uuid4(), 1, "a", "x"), NewTask(uuid4(), 1, "b", "x"))
    async with world.pool.connection() as connection:
        with pytest.raises(asyncpg.UniqueViolationError):
            await creation.create(connection, twice, ring_seconds=3)
        assert await executions.view(connection, world.tenant, twice.id) is None
        assert await events.after(connection, world.tenant, twice.id, 0, 10) == []


async def test_a_large_plan_is_one_statement(world: World) -> None:
    made = new(world, *(NewTask(uuid4(), n, f"t{n}", "x" * 100, (n - 1,) if n else ()) for n in range(2000)))
    async with world.pool.connection() as connection:
        await creation.create(connection, made, ring_seconds=3)
        view = await executions.view(connection, world.tenant, made.id)
    assert view is not None
    assert view.tasks is not None
    assert [task.position for task in view.tasks] == list(range(2000))
