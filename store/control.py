"""What a person asks of a task beside sending it messages: pause, resume, cancel. One transaction each."""

from dataclasses import replace

from domain.errors import Conflict
from domain.events import EventType
from domain.ids import TaskRoute
from domain.mailbox import Position, position
from domain.states import TaskState
from store.changes import RING_SECONDS, Change, told
from store.pool import Connection
from store.queries import query


async def pause(connection: Connection, route: TaskRoute, by: str) -> Position:
    """Pause a task until a resume or a message; a step under way is interrupted. Pausing again changes nothing.

    Raises `TaskNotFound`, and `Conflict` for a task that is pending or over.
    """
    change = await _change(connection, route)
    box = change.task.box
    if box.state is TaskState.PAUSED:
        return change.standing()
    if box.state not in (TaskState.RUNNING, TaskState.WAITING):
        raise Conflict(f"the task is {box.state}: there is nothing to pause", box.state)
    change.box = replace(
        box,
        state=TaskState.PAUSED,
        version=box.version + 1,
        interrupt_turn=box.turn if box.turn_open else box.interrupt_turn,
    )
    change.say(EventType.TASK_PAUSED, {"by": by}, TaskState.PAUSED)
    return position(change.box, event_seq=await change.commit(ring_seconds=RING_SECONDS))


async def resume(connection: Connection, route: TaskRoute, by: str) -> Position:
    """Let a paused task go on: it waits again if a question is open, else it takes a new turn.

    Raises `TaskNotFound`, and `Conflict` for a task that is not paused.
    """
    change = await _change(connection, route)
    box = change.task.box
    if box.state is not TaskState.PAUSED:
        raise Conflict(f"the task is {box.state}, not paused", box.state)
    waits = box.questions and not box.has_unclaimed and not box.turn_open
    state = TaskState.WAITING if waits else TaskState.RUNNING
    change.box = replace(box, state=state, version=box.version + 1)
    change.say(EventType.TASK_RESUMED, {"by": by}, state)
    return position(change.box, event_seq=await change.commit(ring_seconds=RING_SECONDS))


async def cancel(connection: Connection, route: TaskRoute, by: str, reason: str = "") -> Position:
    """Cancel a task: final. Its open turn ends, messages that no turn has read are dead. Again changes nothing.

    Raises `TaskNotFound`, and `Conflict` for a task that has ended otherwise.
    """
    change = await _change(connection, route)
    box = change.task.box
    if box.state is TaskState.CANCELLED:
        return change.standing()
    if box.state.is_over:
        raise Conflict(f"the task is {box.state}: there is nothing to cancel", box.state)
    names = (route.tenant_id, route.task_id)
    if box.turn_open:
        await connection.fetch(
            query("end_turn"), *names, box.turn, "interrupted", TaskState.CANCELLED, "processed", None
        )
    dead = await connection.fetch(query("bury_unclaimed"), *names, "task_cancelled")
    if dead:
        change.say(EventType.MESSAGES_DEAD, {"messages": told(dead), "reason": "task_cancelled"})
    change.box = replace(
        box,
        state=TaskState.CANCELLED,
        version=box.version + 1,
        turn_open=False,
        interrupt_turn=box.turn,
        claimed_seq=box.accepted_seq,
        questions=(),
    )
    change.say(EventType.TASK_CANCELLED, {"by": by, "reason": reason}, TaskState.CANCELLED)
    event_seq = await change.commit(ring_seconds=RING_SECONDS)
    await change.ring_plan()
    return position(change.box, event_seq=event_seq, ended=route.in_plan)


async def _change(connection: Connection, route: TaskRoute) -> Change:
    return await Change.of(connection, route.tenant_id, route.execution_id, route.task_id)
