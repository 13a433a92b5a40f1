"""A task's mailbox: its row, locked, and the state of the execution that follows from its tasks'."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from baton.domain.approvals import Approval, question_text
from baton.domain.conversation import Question
from baton.domain.errors import TaskNotFound
from baton.domain.events import NewEvent
from baton.domain.events.parts import PausedTask, WaitingTask
from baton.domain.ids import (
    ExecutionId,
    TaskId,
    TenantId,
)
from baton.domain.mailbox import Mailbox, Rest
from baton.domain.states import ExecutionState, TaskState, execution_state
from baton.store.codecs import APPROVALS, QUESTIONS
from baton.store.events import columns
from baton.store.pool import Connection
from baton.store.queries import fetch, fetchrow, fetchval


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


@dataclass(frozen=True, slots=True)
class TaskStanding:
    """How one task of an execution stands."""

    id: TaskId
    position: int
    title: str
    state: TaskState
    questions: tuple[Question, ...]
    approvals: tuple[Approval, ...]
    waiting_since: datetime | None


async def lock(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, task_id: TaskId) -> LockedTask:
    """Lock an execution, then its task, until the transaction ends. Raises `TaskNotFound`."""
    row = await fetchrow(connection, "lock_task", tenant=tenant_id, execution=execution_id, task=task_id)
    if row is None:
        raise TaskNotFound("there is no such task")
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
        state=box.state,
        version=box.version,
        turn=box.turn,
        turn_open=box.turn_open,
        interrupt_turn=box.interrupt_turn,
        unclaimed=box.unclaimed,
        open_questions=QUESTIONS.write(box.questions),
        answers_ruled=any(question.schema is not None for question in box.questions),
        open_approvals=APPROVALS.write(box.approvals),
        held_step=box.held_step,
        timer_at=datetime.fromisoformat(box.next_timer) if box.next_timer else None,
        rested=box.rest.state,
        rested_questions=QUESTIONS.write(box.rest.questions),
        rested_approvals=APPROVALS.write(box.rest.approvals),
        rested_seq=box.rest.seq,
        ring_seconds=ring_seconds,
        keep_ring=keep_ring,
    )
    return last


async def standings(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> list[TaskStanding]:
    """All tasks of an execution, by position; exact while the execution's row is locked."""
    rows = await fetch(connection, "task_states", tenant=tenant_id, execution=execution_id)
    return [
        TaskStanding(
            row["id"],
            row["position"],
            row["title"],
            TaskState(row["state"]),
            QUESTIONS.read(row["open_questions"]),
            APPROVALS.read(row["open_approvals"]),
            row["waiting_since"],
        )
        for row in rows
    ]


async def standings_with(connection: Connection, task: LockedTask, box: Mailbox) -> list[TaskStanding]:
    """All tasks of a locked task's execution, by position, as they are once that one is saved as ``box``."""
    waits_since = task.rested_since if task.box.rest.state is TaskState.WAITING else task.locked_at
    saved = TaskStanding(
        task.id,
        task.position,
        task.title,
        box.state,
        box.questions,
        box.approvals,
        waits_since if box.state is TaskState.WAITING else None,
    )
    if not task.in_plan:
        return [saved]
    before = await standings(connection, task.tenant_id, task.execution_id)
    return [saved if standing.id == task.id else standing for standing in before]


def derived(standings: list[TaskStanding], was: ExecutionState) -> ExecutionState | None:
    """The execution's state that follows from its tasks', or None if that is what it ``was``."""
    now = execution_state(standing.state for standing in standings)
    if now is ExecutionState.PENDING and was is not ExecutionState.PENDING:
        now = ExecutionState.RUNNING
    return None if now is was else now


def paused_tasks(standings: list[TaskStanding]) -> tuple[PausedTask, ...]:
    """What an execution can go on with once somebody resumes it."""
    return tuple(
        PausedTask(task_id=standing.id, position=standing.position)
        for standing in standings
        if standing.state is TaskState.PAUSED
    )


def waiting_tasks(standings: list[TaskStanding]) -> tuple[WaitingTask, ...]:
    """What an execution waits for."""
    return tuple(
        WaitingTask(
            task_id=standing.id,
            position=standing.position,
            question="\n".join(
                (*(q.text for q in standing.questions), *(question_text(a) for a in standing.approvals))
            ),
            waiting_since=standing.waiting_since,
            consent=not standing.questions,
        )
        for standing in standings
        if standing.state is TaskState.WAITING
    )
