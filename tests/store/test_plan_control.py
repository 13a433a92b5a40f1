"""Is a whole plan paused, resumed and cancelled as each of its tasks would be, in as few statements as one of them?"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

import pytest

from api.ids import parse_uuid
from baton.domain.approvals import Policy, ToolRules
from baton.domain.authors import Author
from baton.domain.conversation import ToolCall
from baton.domain.ids import ExecutionId, TaskRoute, TenantId
from baton.domain.states import SendMode, TaskState
from baton.store import control, plan_control
from baton.store.changes import TOLD_AT_ONCE
from baton.store.plan_control import Controlled
from baton.store.pool import Connection
from tests.store.world import World, question
from tests.support.authors import author

S = TaskState
All = Callable[[Connection, TenantId, ExecutionId, Author], Awaitable[Controlled]]
One = Callable[[Connection, TaskRoute, Author], Awaitable[object]]
#: (what does it to all, what does it to one, the states in which it does something).
CONTROLS: Final[Mapping[str, tuple[All, One, tuple[TaskState, ...]]]] = {
    "cancel": (plan_control.cancel_all, control.cancel, (S.PENDING, S.RUNNING, S.WAITING, S.PAUSED)),
    "pause": (plan_control.pause_all, control.pause, (S.RUNNING, S.WAITING)),
    "resume": (plan_control.resume_all, control.resume, (S.PAUSED,)),
}
ASKING: Final = ToolRules({"write": Policy.ASK})
WRITE: Final = (ToolCall("c1", "write", {"text": "x"}), ToolCall("c2", "clock", {}))


async def at_work(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)


async def at_work_with_mail(world: World, route: TaskRoute) -> None:
    await world.send(route, "for this turn")
    await world.start(route, 1)
    await world.send(route, "for the next")


async def interrupted(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await world.send(route, "stop", mode=SendMode.INTERRUPT)


async def calling(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await world.record(route, 1, calls=[ToolCall("c", "clock", {})])


async def waiting(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await world.record(route, 1, asks=[question("q"), question("r")])


async def half_answered(world: World, route: TaskRoute) -> None:
    await waiting(world, route)
    await world.send(route, "to q", question="q")


async def holding(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await world.record(route, 1, calls=WRITE, rules=ASKING)
    if (await world.box(route)).state is S.RUNNING:
        await world.execute("UPDATE tool_calls SET state = 'done' WHERE tenant_id = $1 AND call_id = 'c2'")


async def answered(world: World, route: TaskRoute) -> None:
    await waiting(world, route)
    await world.send(route, "both")


async def paused(world: World, route: TaskRoute) -> None:
    await world.pause(route)


async def paused_at_work(world: World, route: TaskRoute) -> None:
    await at_work_with_mail(world, route)
    await world.pause(route)


async def paused_with_an_answer(world: World, route: TaskRoute) -> None:
    await half_answered(world, route)
    await world.pause(route)


async def succeeded(world: World, route: TaskRoute) -> None:
    await world.start(route, 1)
    await world.record(route, 1)


async def untouched(world: World, route: TaskRoute) -> None:
    """Running, with no turn begun."""


BEGINNINGS: Final = (
    untouched, at_work, at_work_with_mail, interrupted, calling, waiting, half_answered, holding, answered, paused,
    paused_at_work, paused_with_an_answer, succeeded,
)  # fmt: skip
#: What differs between two tasks to which the same was done.
_OWN: Final = {
    "id", "number", "execution_id", "created_at", "updated_at", "started_at", "completed_at", "ring_at",
    "waiting_since", "rested_since", "digest", "position", "title", "task_id", "message_id", "approval_id", "at",
    "claimed_at", "ended_at", "accepted_at", "asked_at", "decided_at", "receipt", "first_event", "depends_on",
}  # fmt: skip


def shown(value: Any) -> Any:
    """A value without what differs between two tasks."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: shown(item) for key, item in fields.items() if key not in _OWN}
    if isinstance(value, list):
        return [shown(item) for item in cast("list[Any]", value)]
    return "an id" if isinstance(value, str) and parse_uuid(value) else value


async def everything(world: World, route: TaskRoute) -> dict[str, Any]:
    """All that is stored of a task, and what the log says of it, but for ids, numbers and times."""
    found: dict[str, Any] = {
        "task": [shown(dict(await world.row(route)))],
        "log": [(event.type, event.task_state, shown(event.data)) for event in await world.log(route)
                if event.task_id == route.task_id],
    }  # fmt: skip
    for table, order in (
        ("messages", "seq"), ("turns", "turn"), ("steps", "turn, step"), ("tool_calls", "turn, step, ordinal"),
        ("approvals", "turn, step, call_id"),
    ):  # fmt: skip
        rows = await world.rows(
            f"SELECT * FROM {table} WHERE tenant_id = $1 AND task_id = $2 ORDER BY {order}", route.task_id
        )
        found[table] = [shown(dict(row)) for row in rows]
    found["rung"] = (await world.row(route))["ring_at"] is not None
    return found


@pytest.mark.parametrize("what", CONTROLS)
async def test_all_at_once_is_as_one_by_one(world: World, what: str) -> None:
    do_all, do_one, states = CONTROLS[what]
    together, single = [await world.plan(*[()] * len(BEGINNINGS), (1,)) for _ in range(2)]
    for routes in (together, single):
        await world.advance(routes[0])
        for begin, route in zip(BEGINNINGS, routes, strict=False):
            await begin(world, route)
    expected = [route.task_id for route in together if (await world.box(route)).state in states]
    async with world.pool.transaction() as connection:
        done = await do_all(connection, world.tenant, together[0].execution_id, author("ann"))
    for route in single:
        if (await world.box(route)).state in states:
            async with world.pool.transaction() as connection:
                await do_one(connection, route, author("ann"))
    assert sorted(done.changed) == sorted(expected)
    assert len(expected) >= 3
    for one, other in zip(together, single, strict=True):
        assert await everything(world, one) == await everything(world, other), one.position
    assert (await world.execution(together[0]))["state"] == (await world.execution(single[0]))["state"]
    assert done.event_seq == len(await world.log(together[0]))


@pytest.mark.parametrize("what", CONTROLS)
async def test_it_takes_as_many_statements_for_many_tasks_as_for_few(world: World, what: str) -> None:
    counts: list[int] = []
    for size in (3, 40):
        routes = await world.plan(*[()] * size, (1,))
        await world.advance(routes[0])
        for route in routes[:3]:
            await half_answered(world, route)
        if what == "resume":
            async with world.pool.transaction() as connection:
                await plan_control.pause_all(connection, world.tenant, routes[0].execution_id, author("ann"))
        statements: list[object] = []
        async with world.pool.transaction() as connection:
            raw = getattr(connection, "_con", connection)
            raw.add_query_logger(statements.append)
            try:
                await CONTROLS[what][0](connection, world.tenant, routes[0].execution_id, author("ann"))
            finally:
                raw.remove_query_logger(statements.append)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert 0 < counts[0] <= 12


async def test_no_workflow_is_rung_for_a_task_that_never_ran(world: World) -> None:
    routes = await world.plan((), (1,), (2,))
    await world.advance(routes[0])
    async with world.pool.transaction() as connection:
        done = await plan_control.cancel_all(connection, world.tenant, routes[0].execution_id, author("ann"))
    assert [rung.task_id for rung in done.to_ring] == [routes[0].task_id]
    assert not done.to_ring[0].bell.starts, "a workflow that runs is told, none is started"
    assert [(await world.row(route))["ring_at"] is None for route in routes] == [False, True, True]
    (pending,) = (await world.plan((), (1,)))[1:]
    await world.advance(pending)
    await world.cancel(pending)
    assert (await world.row(pending))["ring_at"] is None


async def test_of_many_tasks_the_first_are_told_and_the_relay_tells_the_others(world: World) -> None:
    routes = await world.plan(*[()] * (TOLD_AT_ONCE + 5))
    standing = await world.advance(routes[0])
    assert standing.to_ring == tuple(route.task_id for route in routes[:TOLD_AT_ONCE])
    now_due = "SELECT count(*) AS tasks FROM tasks WHERE tenant_id = $1 AND execution_id = $2 AND ring_at <= now()"
    assert (await world.rows(now_due, routes[0].execution_id))[0]["tasks"] == 5
    assert standing.relayed
    await world.execute("UPDATE tasks SET ring_at = now() + interval '3 s', rings = 1 WHERE tenant_id = $1")
    again = await world.advance(routes[0])
    assert (again.to_ring, again.relayed) == ((), False), "what the relay has rung, it rings again"
    last = routes[-1]
    await world.start(last, 1)
    async with world.pool.transaction() as connection:
        done = await plan_control.cancel_all(connection, world.tenant, last.execution_id, author("ann"))
    assert len(done.changed) == len(routes)
    assert last.task_id in {rung.task_id for rung in done.to_ring}, "a turn that is to stop is told at once"
    assert len(done.to_ring) == TOLD_AT_ONCE
    assert done.to_stop == {last.task_id: 1}
    assert (await world.rows(now_due, last.execution_id))[0]["tasks"] == 5
