"""What a person asks of a task beside sending it messages: pause, resume, cancel. One transaction each."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from baton.domain import mailbox
from baton.domain.authors import Author
from baton.domain.errands import ErrandState
from baton.domain.errors import Conflict, ExecutionNotFound, MessageNotFound
from baton.domain.events import (
    MessagesDead,
    TaskCancelled,
    TaskPaused,
    TaskResumed,
    TurnEnded,
)
from baton.domain.ids import (
    ExecutionId,
    TaskId,
    TaskRoute,
    TenantId,
)
from baton.domain.mailbox import Ending, Standing, standing
from baton.domain.states import MessageState, TaskState, TurnState
from baton.store import approvals, events, mailboxes, receipts
from baton.store.changes import CANCELLED, RING_SECONDS, Change, asked_approvals, asked_questions, told
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval


async def pause(connection: Connection, route: TaskRoute, by: Author) -> Standing:
    """Pause a task until a resume or a message; a step under way is interrupted. Pausing again changes nothing.

    Raises `TaskNotFound`, and `Conflict` for a task that is pending or over.
    """
    change = await _change(connection, route)
    state = change.task.box.state
    if state not in (TaskState.RUNNING, TaskState.WAITING, TaskState.PAUSED):
        raise Conflict(f"the task is {state}: there is nothing to pause", state)
    return await _pause(change, by)


async def _pause(change: Change, by: Author) -> Standing:
    box = change.task.box
    if box.state not in (TaskState.RUNNING, TaskState.WAITING):
        return change.standing()
    change.box = mailbox.pause(box)
    change.say(TaskPaused(by=by.name, author=by), TaskState.PAUSED)
    return standing(change.box, event_seq=await change.write(ring_seconds=RING_SECONDS))


async def resume(connection: Connection, route: TaskRoute, by: Author) -> Standing:
    """Let a paused task go on: it waits again if a question is open, else it takes a new turn.

    Resuming again changes nothing, until the next pause or a cancel: whoever does not know whether the first was
    committed is told what the task is at. Raises `TaskNotFound`, and `Conflict` for a task that is not paused, and has
    not been resumed.
    """
    change = await _change(connection, route)
    state = change.task.box.state
    if state is not TaskState.PAUSED:
        if state is not TaskState.CANCELLED and await events.was_resumed(connection, route):
            return change.standing()
        raise Conflict(f"the task is {state}, not paused", state)
    return await _resume(change, by)


async def _resume(change: Change, by: Author) -> Standing:
    box = change.task.box
    if box.state is not TaskState.PAUSED:
        return change.standing()
    change.box = mailbox.resume(box, has_news=await _has_news(change))
    waits = change.box.state is TaskState.WAITING
    resumed = TaskResumed(
        by=by.name,
        author=by,
        questions=asked_questions(change.box) if waits else (),
        approvals=asked_approvals(change.box) if waits else (),
    )
    change.say(resumed, change.box.state)
    return standing(change.box, event_seq=await change.write(ring_seconds=RING_SECONDS))


async def _has_news(change: Change) -> bool:
    """Whether a message waits for a turn; an answer beside which other questions are open waits for those."""
    box, task = change.task.box, change.task
    return box.has_unclaimed and await fetchval(change.connection, "has_news", tenant=task.tenant_id, task=task.id)


async def cancel(connection: Connection, route: TaskRoute, by: Author, reason: str = "") -> Standing:
    """Cancel a task: final. Its open turn ends, messages that no turn has read are dead. Again changes nothing.

    Raises `TaskNotFound`, and `Conflict` for a task that has ended otherwise.
    """
    change = await _change(connection, route)
    state = change.task.box.state
    if state.is_over and state is not TaskState.CANCELLED:
        raise Conflict(f"the task is {state}: there is nothing to cancel", state)
    return await cancel_locked(change, by, reason)


async def cancel_unless_over(connection: Connection, route: TaskRoute, by: Author, reason: str = "") -> Standing:
    """Cancel a task like `cancel`; one that is over stays as it is."""
    change = await _change(connection, route)
    return await cancel_locked(change, by, reason)


async def cancel_all(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, by: Author, reason: str = ""
) -> tuple[TaskId, ...]:
    """Cancel all tasks of an execution that are not over; their ids. Raises `ExecutionNotFound`."""
    return await _each(connection, tenant_id, execution_id, lambda change: cancel_locked(change, by, reason))


async def pause_all(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, by: Author
) -> tuple[TaskId, ...]:
    """Pause all tasks of an execution that run or wait; their ids. Raises `ExecutionNotFound`."""
    return await _each(connection, tenant_id, execution_id, lambda change: _pause(change, by))


async def resume_all(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, by: Author
) -> tuple[TaskId, ...]:
    """Let all paused tasks of an execution go on; their ids. Raises `ExecutionNotFound`."""
    return await _each(connection, tenant_id, execution_id, lambda change: _resume(change, by))


async def _each(
    connection: Connection,
    tenant_id: TenantId,
    execution_id: ExecutionId,
    do: Callable[[Change], Awaitable[Standing]],
) -> tuple[TaskId, ...]:
    if await fetchrow(connection, "lock_plan", tenant=tenant_id, execution=execution_id) is None:
        raise ExecutionNotFound("there is no such execution")
    changed: list[TaskId] = []
    for row in await fetch(connection, "lock_plan_tasks", tenant=tenant_id, execution=execution_id):
        change = await Change.of(connection, tenant_id, execution_id, row["id"])
        after = await do(change)
        if after.box.version != change.task.box.version:
            changed.append(row["id"])
    return tuple(changed)


async def cancel_locked(change: Change, by: Author, reason: str) -> Standing:
    """Cancel a locked task that is not over, and write that."""
    connection, task, box = change.connection, change.task, change.task.box
    if box.state.is_over:
        return change.standing()
    names = {"tenant": task.tenant_id, "task": task.id}
    if box.turn_open:
        read = await fetch(
            connection,
            "end_turn",
            **names,
            turn=box.turn,
            state=TurnState.INTERRUPTED,
            outcome=TaskState.CANCELLED,
            message_state=MessageState.PROCESSED,
            reason=None,
            not_made=CANCELLED,
            keep_held=False,
        )
        change.say(TurnEnded(turn=box.turn, outcome=Ending.INTERRUPTED, messages=told(read)), waiting=())
    elif box.held_step is not None:
        await approvals.cancel_held(change, by)
    dead = await fetch(connection, "bury_unclaimed", **names, reason="task_cancelled")
    if dead:
        change.say(MessagesDead(messages=told(dead), reason="task_cancelled"))
    change.box = mailbox.cancel(box)
    change.say(TaskCancelled(by=by.name, author=by, reason=reason), TaskState.CANCELLED)
    event_seq = await change.write(ring_seconds=RING_SECONDS)
    if task.in_plan:
        await change.ring_plan()
    return standing(change.box, event_seq=event_seq, ended=task.in_plan)


async def _change(connection: Connection, route: TaskRoute) -> Change:
    return await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)


async def stop_errand(connection: Connection, route: TaskRoute, errand_id: UUID, by: Author) -> Standing:
    """Pause the task that is at an errand; what is done about it is interrupted. In a transaction.

    One that is cancelled already is left alone. Raises `TaskNotFound`, `MessageNotFound`, and `Conflict` for one that
    is over otherwise: whatever its task is at by now goes on.
    """
    task = await mailboxes.lock(connection, route.tenant_id, route.execution_id, route.task_id)
    errand = await receipts.errand(connection, route.tenant_id, errand_id)
    if errand is None:
        raise MessageNotFound("there is no such message")
    if errand.state is ErrandState.CANCELLED:
        return standing(task.box, event_seq=task.event_seq)
    if errand.state.is_over:
        raise Conflict(f"the job is already {errand.state}: there is nothing to cancel", errand.state)
    return await pause(connection, route, by)
