"""Tasks: where they live, their locked rows, and the state of the execution that follows from theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import asyncpg

from baton.domain.approvals import Approval, question_text
from baton.domain.conversation import Question
from baton.domain.errors import AgentNotFound, Conflict, ExecutionNotFound, TaskNotFound
from baton.domain.events import NewEvent
from baton.domain.events.parts import PausedTask, WaitingTask
from baton.domain.ids import (
    AgentId,
    ExecutionId,
    TaskAddress,
    TaskById,
    TaskByNumber,
    TaskBySlug,
    TaskId,
    TaskInPlan,
    TaskRoute,
    TenantId,
)
from baton.domain.json import JsonObject, JsonValue
from baton.domain.mailbox import Mailbox, Rest
from baton.domain.slugs import number_in, slug_of
from baton.domain.states import ExecutionState, TaskState, execution_state
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


async def route(
    connection: Connection, tenant_id: TenantId, address: TaskAddress, *, agent_id: AgentId | None = None
) -> TaskRoute:
    """Where a task lives: never changes, may be cached. ``agent_id``: whose alone counts, None for any agent's.

    Raises `ExecutionNotFound`, `TaskNotFound`, `AgentNotFound`.
    """
    whose = {"tenant": tenant_id, "agent": agent_id}
    match address:
        case TaskInPlan(execution, position):
            row = await fetchrow(connection, "route_by_position", **whose, execution=execution, position=position)
        case TaskById(task):
            row = await fetchrow(connection, "route_by_task", **whose, task=task)
        case TaskByNumber(number, _):
            row = await fetchrow(connection, "route_by_number", **whose, number=number)
        case TaskBySlug(slug):
            row = await _named(connection, tenant_id, slug, agent_id)
        case _:
            row = await fetchrow(connection, "route_by_either", **whose, id=address.execution)
    if row is None:
        if isinstance(address, TaskInPlan):
            if not await fetchval(connection, "execution_exists", **whose, execution=address.execution):
                raise ExecutionNotFound("there is no such execution")
            raise TaskNotFound(f"the execution has no task {address.position}")
        raise TaskNotFound("there is no such task")
    if isinstance(address, TaskByNumber) and address.agent not in (None, row["agent_number"]):
        raise AgentNotFound("the task belongs to another agent")
    return _route_of(tenant_id, row)


async def only_task(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> TaskRoute | None:
    """Where the only task of an execution lives; None if that is a plan, or not there."""
    row = await fetchrow(connection, "route_by_execution", tenant=tenant_id, execution=execution_id)
    return None if row is None else _route_of(tenant_id, row)


async def addressed(
    connection: Connection, tenant_id: TenantId, execution_id: ExecutionId, question: str | None = None
) -> TaskRoute:
    """The task that a message to a whole execution is for, which must be locked.

    See `baton.domain.ids.Addressee`; ``question`` is the one that the message answers. Raises `Conflict` where that
    names none, and `ExecutionNotFound`.
    """
    row = await fetchrow(connection, "route_for_message", tenant=tenant_id, execution=execution_id, question=question)
    if row is None:
        execution = await fetchrow(connection, "log_head", tenant=tenant_id, execution=execution_id)
        if execution is None:
            raise ExecutionNotFound("there is no such execution")
        state = execution["state"]
        raise Conflict(f"the execution is {state}, and none of its tasks waits: send to one of them", state)
    return _route_of(tenant_id, row)


def _route_of(tenant_id: TenantId, row: asyncpg.Record) -> TaskRoute:
    return TaskRoute(
        tenant_id=tenant_id,
        tenant=row["tenant"],
        execution_id=row["execution_id"],
        task_id=row["task_id"],
        position=row["position"],
        in_plan=row["in_plan"],
        queue=row["queue"],
        agent=row["agent"],
        agent_id=row["agent_id"],
    )


async def _named(
    connection: Connection, tenant_id: TenantId, slug: str, agent_id: AgentId | None
) -> asyncpg.Record | None:
    number = number_in(slug)
    if number is None:
        return None
    row = await fetchrow(connection, "route_by_number", tenant=tenant_id, agent=agent_id, number=number)
    return row if row is not None and slug_of(row["title"], number) == slug else None


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
            questions=questions_of(row["open_questions"]),
            approvals=approvals_of(row["open_approvals"]),
            held_step=row["held_step"],
            rest=Rest(
                TaskState(row["rested"]),
                questions_of(row["rested_questions"]),
                row["rested_seq"],
                approvals_of(row["rested_approvals"]),
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
        open_questions=[question_json(question) for question in box.questions],
        answers_ruled=any(question.schema is not None for question in box.questions),
        open_approvals=[approval_json(approval) for approval in box.approvals],
        held_step=box.held_step,
        timer_at=datetime.fromisoformat(box.next_timer) if box.next_timer else None,
        rested=box.rest.state,
        rested_questions=[question_json(question) for question in box.rest.questions],
        rested_approvals=[approval_json(approval) for approval in box.rest.approvals],
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
            questions_of(row["open_questions"]),
            approvals_of(row["open_approvals"]),
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


@dataclass(frozen=True, slots=True)
class Bell:
    """What a doorbell says: the task's version, the turn under way or due, and the last one if it is to stop."""

    version: int
    turn: int
    interrupt: int


async def bell(connection: Connection, route: TaskRoute) -> Bell:
    """What a doorbell would say now. Raises `TaskNotFound`."""
    row = await fetchrow(connection, "read_bell", tenant=route.tenant_id, task=route.task_id)
    if row is None:
        raise TaskNotFound("there is no such task")
    return Bell(row["version"], row["turn"], row["interrupt"])


def questions_of(items: list[JsonObject]) -> tuple[Question, ...]:
    """Questions from a task's row."""
    return tuple(
        Question(
            id=cast("str", item["id"]),
            text=cast("str", item["text"]),
            choices=tuple(cast("list[str]", item.get("choices") or [])),
            schema=cast("JsonObject | None", item.get("schema")),
            call_id=cast("str", item.get("call_id", "")),
            turn=cast("int", item.get("turn", 0)),
            asked_at=cast("str", item.get("asked_at", "")),
            deadline_at=cast("str", item.get("deadline_at", "")),
            default=cast("str", item.get("default", "")),
            remind_at=cast("str", item.get("remind_at", "")),
            escalate_at=cast("str", item.get("escalate_at", "")),
        )
        for item in items
    )


def question_json(question: Question) -> JsonObject:
    """A question as a task's row holds it, and as events show it."""
    return {
        "id": question.id,
        "text": question.text,
        "choices": cast("list[JsonValue]", list(question.choices)),
        "schema": question.schema,
        "call_id": question.call_id,
        "turn": question.turn,
        "asked_at": question.asked_at or datetime.now(UTC).isoformat(),
        "deadline_at": question.deadline_at,
        "default": question.default,
        "remind_at": question.remind_at,
        "escalate_at": question.escalate_at,
    }


def approvals_of(items: list[JsonObject]) -> tuple[Approval, ...]:
    """Approvals from a task's row."""
    return tuple(
        Approval(
            id=cast("str", item["id"]),
            call_id=cast("str", item["call_id"]),
            turn=cast("int", item["turn"]),
            step=cast("int", item["step"]),
            tool=cast("str", item["tool"]),
            arguments=cast("JsonObject", item["arguments"]),
            digest=cast("str", item["digest"]),
            asked_at=cast("str", item["asked_at"]),
        )
        for item in items
    )


def approval_json(approval: Approval) -> JsonObject:
    """An approval as a task's row holds it."""
    return {
        "id": approval.id,
        "call_id": approval.call_id,
        "turn": approval.turn,
        "step": approval.step,
        "tool": approval.tool,
        "arguments": approval.arguments,
        "digest": approval.digest,
        "asked_at": approval.asked_at,
    }


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
