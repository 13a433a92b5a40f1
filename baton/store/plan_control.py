"""All tasks of an execution paused, resumed or cancelled at once: a few statements, however many tasks it has.

The caller opens the transaction. The mailbox's rules decide for each task, as in `baton.store.control`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from baton.domain import mailbox
from baton.domain.authors import Author
from baton.domain.events import KnownBody, NewEvent, TaskCancelled, TaskPaused, TaskResumed
from baton.domain.ids import ExecutionId, TaskId, TenantId
from baton.domain.mailbox import Mailbox
from baton.domain.states import TaskState
from baton.store import mailboxes
from baton.store.changes import RING_SECONDS, TOLD_AT_ONCE, approval_ids, question_ids
from baton.store.mailboxes import LockedTask
from baton.store.pool import Connection
from baton.store.queries import execute, fetch
from baton.store.rings import TaskToRing
from baton.store.stopping import stop_work

_OPEN: Final = tuple(state for state in TaskState if not state.is_over)
_AT_WORK: Final = (TaskState.RUNNING, TaskState.WAITING)


@dataclass(frozen=True, slots=True)
class Controlled:
    """What was done to an execution, whose log ends with ``event_seq``.

    ``changed``: the tasks that are in another state now; ``to_ring``: those whose workflows are to be told at once, the
    ones with a turn to stop first; ``to_stop``: the turns that are to stop, by task.
    """

    changed: tuple[TaskId, ...] = ()
    in_plan: bool = False
    event_seq: int = 0
    to_ring: tuple[TaskToRing, ...] = ()
    to_stop: Mapping[TaskId, int] = field(default_factory=dict[TaskId, int])


async def cancel_all(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, by: Author, reason: str = ""
) -> Controlled:
    """Cancel all tasks of an execution that are not over. Raises `ExecutionNotFound`."""
    locked = await mailboxes.lock_all(connection, tenant_id, execution_id, _OPEN)
    said = await stop_work(connection, tenant_id, locked, by)
    cancelled = TaskCancelled(by=by.name, author=by, reason=reason)
    return await _save(
        connection,
        [(task, mailbox.cancel(task.box), (*said[task.id], cancelled)) for task in locked],
    )


async def pause_all(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, by: Author) -> Controlled:
    """Pause all tasks of an execution that run or wait. Raises `ExecutionNotFound`."""
    locked = await mailboxes.lock_all(connection, tenant_id, execution_id, _AT_WORK)
    paused = (TaskPaused(by=by.name, author=by),)
    return await _save(connection, [(task, mailbox.pause(task.box), paused) for task in locked])


async def resume_all(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, by: Author) -> Controlled:
    """Let all paused tasks of an execution go on. Raises `ExecutionNotFound`."""
    locked = await mailboxes.lock_all(connection, tenant_id, execution_id, (TaskState.PAUSED,))
    news = await with_news(connection, tenant_id, locked)
    resumed = [(task, mailbox.resume(task.box, has_news=task.id in news)) for task in locked]
    return await _save(connection, [(task, box, (resumed_body(box, by),)) for task, box in resumed])


def resumed_body(box: Mailbox, by: Author) -> TaskResumed:
    """What the log says of a task that was resumed and stands as ``box`` now."""
    waits = box.state is TaskState.WAITING
    return TaskResumed(
        by=by.name,
        author=by,
        open_questions=question_ids(box) if waits else (),
        open_approvals=approval_ids(box) if waits else (),
    )


async def with_news(connection: Connection, tenant_id: TenantId, locked: Sequence[LockedTask]) -> set[TaskId]:
    """The tasks for which a message waits for a turn; an answer beside which others are open waits for those."""
    told = [task.id for task in locked if task.box.has_unclaimed]
    rows = await fetch(connection, "tasks_with_news", tenant=tenant_id, ids=told) if told else []
    return {row["id"] for row in rows}


async def _save(
    connection: Connection,
    decided: Sequence[tuple[LockedTask, Mailbox, Sequence[KnownBody]]],
) -> Controlled:
    """Write what was decided, with the execution's state that follows. The last event of each task has its state."""
    if not decided:
        return Controlled()
    state = await mailboxes.state_after(connection, [(task, box.state) for task, box, _ in decided])
    said = [
        NewEvent(body, task.id, box.state if body is bodies[-1] else None)
        for task, box, bodies in decided
        for body in bodies
    ]
    rings = _rings([(task, box) for task, box, _ in decided])
    saved = [(task, box, rings.get(task.id)) for task, box, _ in decided]
    bells = await mailboxes.save_all(connection, saved, said, state)
    first = decided[0][0]
    if first.in_plan:
        await execute(
            connection,
            "ring_plan",
            tenant=first.tenant_id,
            execution=first.execution_id,
            ring_seconds=RING_SECONDS,
        )
    return Controlled(
        changed=tuple(task.id for task, _, _ in decided),
        in_plan=first.in_plan,
        event_seq=first.event_seq + len(said),
        to_ring=tuple(bell for bell in bells if rings[bell.task_id]),
        to_stop={bell.task_id: bell.bell.interrupt for bell in bells if bell.bell.interrupt},
    )


def _rings(decided: Sequence[tuple[LockedTask, Mailbox]]) -> dict[TaskId, float]:
    """When the relay rings: at once for those that are left to it. A task that never began has no workflow to tell."""
    rung = [task for task, _ in decided if task.box.state is not TaskState.PENDING]
    rung.sort(key=lambda task: (not task.box.turn_open, task.position))
    return {task.id: RING_SECONDS if number < TOLD_AT_ONCE else 0.0 for number, task in enumerate(rung)}
