"""What a person asks of a task beside sending it messages: pause, resume, cancel. One transaction each."""

from uuid import UUID

from baton.domain import mailbox
from baton.domain.authors import Author
from baton.domain.errands import ErrandState
from baton.domain.errors import Conflict, MessageNotFound
from baton.domain.events import TaskCancelled, TaskPaused
from baton.domain.ids import TaskRoute
from baton.domain.mailbox import Standing, standing
from baton.domain.states import TaskState
from baton.store import errands, events, mailboxes
from baton.store.changes import RING_SECONDS, Change
from baton.store.plan_control import resumed_body, with_news
from baton.store.pool import Connection
from baton.store.stopping import stop_work


async def pause(connection: Connection, route: TaskRoute, by: Author) -> Standing:
    """Pause a task until a resume or a message; a step under way is interrupted. Pausing again changes nothing.

    Raises `TaskNotFound`, and `Conflict` for a task that is pending or over.
    """
    change = await _change(connection, route)
    state = change.task.box.state
    if state not in (TaskState.RUNNING, TaskState.WAITING, TaskState.PAUSED):
        raise Conflict(f"the task is {state}: there is nothing to pause", state)
    if state is TaskState.PAUSED:
        return change.standing()
    change.box = mailbox.pause(change.task.box)
    change.say(TaskPaused(by=by.name, author=by), TaskState.PAUSED)
    return await _written(change)


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
    news = await with_news(change.connection, change.task.tenant_id, [change.task])
    change.box = mailbox.resume(change.task.box, has_news=bool(news))
    change.say(resumed_body(change.box, by), change.box.state)
    return await _written(change)


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


async def cancel_locked(change: Change, by: Author, reason: str) -> Standing:
    """Cancel a locked task that is not over, and write that."""
    task, box = change.task, change.task.box
    if box.state.is_over:
        return change.standing()
    for body in (await stop_work(change.connection, task.tenant_id, [task], by))[task.id]:
        change.say(body)
    change.box = mailbox.cancel(box)
    change.say(TaskCancelled(by=by.name, author=by, reason=reason), TaskState.CANCELLED)
    # A task that never began has no workflow to tell.
    return await _written(change, None if box.state is TaskState.PENDING else RING_SECONDS)


async def _written(change: Change, ring_seconds: float | None = RING_SECONDS) -> Standing:
    """Write a change that the task's workflow and its plan's are told of."""
    event_seq = await change.write(ring_seconds=ring_seconds)
    if change.task.in_plan:
        await change.ring_plan()
    return standing(change.box, event_seq=event_seq, plan_looks=change.task.in_plan)


async def _change(connection: Connection, route: TaskRoute) -> Change:
    return await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)


async def stop_errand(connection: Connection, route: TaskRoute, errand_id: UUID, by: Author) -> Standing:
    """Pause the task that is at an errand; what is done about it is interrupted. In a transaction.

    One that is cancelled already is left alone. Raises `TaskNotFound`, `MessageNotFound`, and `Conflict` for one that
    is over otherwise: whatever its task is at by now goes on.
    """
    task = await mailboxes.lock(connection, route.tenant_id, route.execution_id, route.task_id)
    errand = await errands.view(connection, route.tenant_id, errand_id)
    if errand is None:
        raise MessageNotFound("there is no such message")
    if errand.state is ErrandState.CANCELLED:
        return standing(task.box, event_seq=task.event_seq)
    if errand.state.is_over:
        raise Conflict(f"the job is already {errand.state}: there is nothing to cancel", errand.state)
    return await pause(connection, route, by)
