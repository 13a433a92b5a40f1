"""Pausing, resuming and cancelling: one commit, then the doorbell, like a message."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from baton.domain import bells
from baton.domain.agents import Principal
from baton.domain.authors import Author
from baton.domain.errands import Errand
from baton.domain.errors import ExecutionNotFound, MessageNotFound, TaskNotFound
from baton.domain.ids import ErrandId, ExecutionId, TaskAddress, TaskRoute, TenantId
from baton.domain.mailbox import Standing
from baton.domain.views import ExecutionView, TaskDetails
from baton.service.bells import ring
from baton.service.context import Baton
from baton.service.visibility import SeenTask, find_errand, find_execution, find_task
from baton.store import control, errands, executions, plan_control, plans, rings, tasks
from baton.store.plan_control import Controlled
from baton.store.pool import Connection
from baton.store.routes import routes_of

T = TypeVar("T")
#: What is done to all tasks of an execution.
_OfAll: TypeAlias = Callable[[Connection, TenantId, ExecutionId, Author], Awaitable[Controlled]]


async def pause(baton: Baton, who: Principal, address: TaskAddress) -> TaskDetails:
    """Pause a task; a step under way is interrupted. Raises `NotFound`, `Conflict`. Returns the task as it is then."""
    return await _bring(baton, who, address, control.pause)


async def resume(baton: Baton, who: Principal, address: TaskAddress) -> TaskDetails:
    """Let a paused task go on. Resuming again changes nothing. Raises `NotFound`, `Conflict`. Returns the task as it is
    then."""
    return await _bring(baton, who, address, control.resume)


async def cancel(baton: Baton, who: Principal, address: TaskAddress) -> TaskDetails:
    """Cancel a task permanently. Raises `NotFound`, `Conflict`. Returns the task as it is then."""
    return await _bring(baton, who, address, control.cancel)


async def stop_errand(baton: Baton, who: Principal, errand_id: ErrandId) -> Errand:
    """Pause the task that is at an errand, or will be; the errand as it is then. One that is cancelled is left alone.

    Raises `MessageNotFound`, and `Conflict` for one that is over otherwise: a later one goes on.
    """
    seen = await find_errand(baton, who, errand_id)

    async def read(connection: Connection) -> Errand:
        found = await errands.view(connection, seen.tenant_id, seen.id)
        if found is None:
            raise MessageNotFound("there is no such message")
        return found

    return await _change(baton, seen.task, lambda c, route: control.stop_errand(c, route, seen.id, who.author), read)


async def pause_execution(baton: Baton, who: Principal, execution_id: ExecutionId) -> ExecutionView:
    """Pause all tasks of an execution that run or wait. Returns the execution as it is then.

    Raises `ExecutionNotFound`.
    """
    return await _all(baton, who, execution_id, plan_control.pause_all)


async def resume_execution(baton: Baton, who: Principal, execution_id: ExecutionId) -> ExecutionView:
    """Let all paused tasks of an execution go on. Returns the execution as it is then.

    Raises `ExecutionNotFound`.
    """
    return await _all(baton, who, execution_id, plan_control.resume_all)


async def cancel_execution(baton: Baton, who: Principal, execution_id: ExecutionId) -> ExecutionView:
    """Cancel all tasks of an execution that are not over. Returns the execution as it is then.

    Raises `ExecutionNotFound`.
    """
    return await _all(baton, who, execution_id, plan_control.cancel_all)


async def _change(
    baton: Baton,
    seen: SeenTask,
    do: Callable[[Connection, TaskRoute], Awaitable[Standing]],
    read: Callable[[Connection], Awaitable[T | None]],
) -> T:
    """Do something to a task in one transaction, and tell all who wait for it. Returns what was read in it, afterwards.

    Raises `NotFound`, and what ``do`` raises.
    """
    route = seen.route
    async with baton.pool.transaction(route.execution_id) as connection:
        after = await do(connection, route)
        bell = await rings.bell(connection, route)  # before the commit: nothing after it may fail
        now = await read(connection)
    if now is None:
        raise TaskNotFound("there is no such task")
    ring(baton, route, bells.of_control(after, bell))
    return now


async def _bring(
    baton: Baton,
    who: Principal,
    address: TaskAddress,
    do: Callable[[Connection, TaskRoute, Author], Awaitable[Standing]],
) -> TaskDetails:
    seen = await find_task(baton, who, address)
    return await _change(
        baton,
        seen,
        lambda connection, route: do(connection, route, who.author),
        lambda connection: tasks.details(connection, seen.tenant_id, seen.id),
    )


async def _all(
    baton: Baton,
    who: Principal,
    execution_id: ExecutionId,
    do: _OfAll,
) -> ExecutionView:
    """Do something to all tasks in one transaction; tell the streams, the workers and the first workflows at once."""
    seen = await find_execution(baton, who, execution_id)
    async with baton.pool.transaction(seen.id) as connection:
        done = await do(connection, seen.tenant_id, seen.id, who.author)
        routes = await routes_of(connection, seen.tenant_id, [rung.task_id for rung in done.to_ring])
        plan = await plans.route(connection, seen.tenant_id, seen.id) if done.in_plan else None
        now = await executions.view(connection, seen.tenant_id, seen.id)
    if now is None:
        raise ExecutionNotFound("there is no such execution")
    if not done.changed:
        return now
    baton.notifier.events(seen.id)
    for task_id, turn in done.to_stop.items():
        baton.notifier.interrupt(task_id, turn)
    for rung in done.to_ring:
        baton.doorbell.ring_for(routes[rung.task_id], rung.bell)
    if plan is not None:
        baton.doorbell.ring_plan(plan, done.event_seq)
    if len(done.changed) > len(done.to_ring):
        baton.relay.wake()
    return now
