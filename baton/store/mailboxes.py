"""A task's mailbox: its row, locked, and the state of the execution that follows from its tasks'."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from baton.domain.errors import ExecutionNotFound, TaskNotFound
from baton.domain.events import NewEvent
from baton.domain.ids import ExecutionId, TaskId, TenantId
from baton.domain.mailbox import Mailbox, Rest
from baton.domain.states import ExecutionState, TaskState, execution_state
from baton.store.codecs import APPROVALS, QUESTIONS
from baton.store.events import columns
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval
from baton.store.rings import TaskToRing, bell_of


@dataclass(frozen=True, slots=True)
class LockedTask:
    """A task whose row, and whose execution's row, are locked until the transaction ends.

    ``rested_since``: since when it would be what it rests as; ``locked_at``: the transaction's time. ``granted``: tools
    that were consented to for the rest of the task; ``plan_only``: it may call none that changes things.
    """

    tenant_id: TenantId
    execution_id: ExecutionId
    id: TaskId
    position: int
    title: str
    box: Mailbox
    execution_state: ExecutionState
    in_plan: bool
    event_seq: int
    rested_since: datetime
    locked_at: datetime
    granted: tuple[str, ...] = ()
    plan_only: bool = False


async def lock(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, task_id: TaskId) -> LockedTask:
    """Lock an execution, then its task, until the transaction ends. Raises `TaskNotFound`."""
    row = await fetchrow(connection, "lock_task", tenant=tenant_id, execution=execution_id, task=task_id)
    if row is None:
        raise TaskNotFound("there is no such task")
    return _locked(tenant_id, execution_id, row)


async def lock_all(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, states: Collection[TaskState]
) -> list[LockedTask]:
    """Lock an execution, then those of its tasks that are in one of ``states``, by id. Raises `ExecutionNotFound`."""
    if await fetchrow(connection, "lock_plan", tenant=tenant_id, execution=execution_id) is None:
        raise ExecutionNotFound("there is no such execution")
    rows = await fetch(connection, "lock_tasks", tenant=tenant_id, execution=execution_id, states=list(states))
    return [_locked(tenant_id, execution_id, row) for row in rows]


def _locked(tenant_id: TenantId, execution_id: ExecutionId, row: asyncpg.Record) -> LockedTask:
    return LockedTask(
        tenant_id=tenant_id,
        execution_id=execution_id,
        id=row["id"],
        position=row["position"],
        title=row["title"],
        box=Mailbox(
            state=TaskState(row["state"]),
            version=row["version"],
            turn=row["turn"],
            turn_open=row["turn_open"],
            interrupt_turn=row["interrupt_turn"],
            accepted_seq=row["accepted_seq"],
            unclaimed=row["unclaimed"],
            questions=QUESTIONS.read(row["open_questions"]),
            approvals=APPROVALS.read(row["open_approvals"]),
            held_step=row["held_step"],
            held_turn=row["held_turn"],
            rest=Rest(
                TaskState(row["rested"]),
                QUESTIONS.read(row["rested_questions"]),
                row["rested_seq"],
                APPROVALS.read(row["rested_approvals"]),
            ),
        ),
        execution_state=ExecutionState(row["execution_state"]),
        in_plan=row["in_plan"],
        event_seq=row["event_seq"],
        rested_since=row["rested_since"],
        locked_at=row["locked_at"],
        granted=tuple(row["granted_tools"]),
        plan_only=row["plan_only"],
    )


async def save(
    connection: Connection,
    task: LockedTask,
    box: Mailbox,
    said: Sequence[NewEvent],
    execution_state: ExecutionState | None,
    *,
    ring_seconds: float | None = None,
    keep_ring: bool = False,
) -> int:
    """Write what the mailbox's rules decided, and the events that say so. Returns the number of the last event.

    ``execution_state``: the execution's new one, if it changed. ``ring_seconds``: when the relay rings; None: nobody
    need ring. ``keep_ring``: a ring that is due already stays so, whatever ``ring_seconds`` says.
    """
    last: int = await fetchval(
        connection,
        "save_mailbox",
        tenant=task.tenant_id,
        execution=task.execution_id,
        execution_state=execution_state,
        **columns(said, {task.id: task.position}),
        task=task.id,
        **_decided(box, ring_seconds, keep_ring=keep_ring),
    )
    return last


async def save_all(
    connection: Connection,
    boxes: Sequence[tuple[LockedTask, Mailbox, float | None]],
    said: Sequence[NewEvent],
    execution_state: ExecutionState | None,
) -> list[TaskToRing]:
    """`save` for tasks of one execution at once, each with its ring_seconds. Returns whom to ring."""
    first = boxes[0][0]
    rows = await fetch(
        connection,
        "save_mailboxes",
        tenant=first.tenant_id,
        execution=first.execution_id,
        execution_state=execution_state,
        **columns(said, {task.id: task.position for task, _, _ in boxes}),
        boxes=[{"id": str(task.id), **_decided(box, seconds)} for task, box, seconds in boxes],
    )
    return [TaskToRing(row["id"], bell_of(row)) for row in rows]


def _decided(box: Mailbox, ring_seconds: float | None, *, keep_ring: bool = False) -> dict[str, object]:
    return {
        "state": box.state,
        "version": box.version,
        "turn": box.turn,
        "turn_open": box.turn_open,
        "interrupt_turn": box.interrupt_turn,
        "unclaimed": box.unclaimed,
        "open_questions": QUESTIONS.write(box.questions),
        "answers_ruled": any(question.schema is not None for question in box.questions),
        "open_approvals": APPROVALS.write(box.approvals),
        "held_step": box.held_step,
        "held_turn": box.held_turn,
        "timer_at": datetime.fromisoformat(box.next_timer) if box.next_timer else None,
        "rested": box.rest.state,
        "rested_questions": QUESTIONS.write(box.rest.questions),
        "rested_approvals": APPROVALS.write(box.rest.approvals),
        "rested_seq": box.rest.seq,
        "ring_seconds": ring_seconds,
        "keep_ring": keep_ring,
    }


async def count_states(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> dict[TaskState, int]:
    """How many of an execution's tasks are in which state; exact while its row is locked."""
    rows = await fetch(connection, "count_states", tenant=tenant_id, execution=execution_id)
    return {TaskState(row["state"]): row["tasks"] for row in rows}


async def state_after(connection: Connection, moved: Sequence[tuple[LockedTask, TaskState]]) -> ExecutionState | None:
    """The state of locked tasks' execution that follows from theirs, once each is as given; None if it is that now."""
    task = moved[0][0]
    counts = Counter[TaskState]()
    if task.in_plan:
        counts.update(await count_states(connection, task.tenant_id, task.execution_id))
        counts.subtract(task.box.state for task, _ in moved)
    counts.update(state for _, state in moved)
    return derived([state for state, count in counts.items() if count], task.execution_state)


def derived(states: Iterable[TaskState], was: ExecutionState) -> ExecutionState | None:
    """The execution's state that follows from its tasks' ``states``, or None if that is what it ``was``."""
    now = execution_state(states)
    if now is ExecutionState.PENDING and was is not ExecutionState.PENDING:
        now = ExecutionState.RUNNING
    return None if now is was else now
