"""What PostgreSQL knows of why a task is where it is."""

from dataclasses import dataclass
from datetime import datetime

from baton.domain.approvals import Approval
from baton.domain.conversation import Question, Usage
from baton.domain.errors import TaskNotFound
from baton.domain.ids import Bounds, ExecutionId, TaskId
from baton.domain.json import JsonObject
from baton.domain.states import TaskState
from baton.domain.views import AgentRef
from baton.store.codecs import APPROVALS, QUESTIONS
from baton.store.pool import Connection
from baton.store.queries import fetchrow, within
from baton.store.tasks import agent_ref_of, usage_of


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task as its rows have it. ``step`` is the one at work, None where no turn is open; ``tools`` are being called;
    ``heard_at`` is when a model last said
    something in this task, if that was not long ago;
    ``failed_calls`` are the turn's last: [{call_id, tool, message}];
    ``unfinished`` are tasks that it needs and that have not succeeded: [{position, title, state}], with null
    for titles that the reader may not see."""

    id: TaskId
    agent: AgentRef
    execution_id: ExecutionId
    state: TaskState
    version: int
    queue: str
    turn: int
    turn_open: bool
    interrupted: bool
    unclaimed: int
    oldest_unclaimed: datetime | None
    questions: tuple[Question, ...]
    approvals: tuple[Approval, ...]
    ring_at: datetime | None
    rings: int
    timer_at: datetime | None
    waiting_since: datetime | None
    updated_at: datetime
    completed_at: datetime | None
    error_code: str | None
    error_message: str
    step: int | None
    attempt: int
    failures: int
    step_started_at: datetime | None
    heard_at: datetime | None
    tools: tuple[str, ...]
    failed_calls: tuple[JsonObject, ...]
    unfinished: tuple[JsonObject, ...]
    usage: Usage


async def facts(connection: Connection, bounds: Bounds, task_id: TaskId) -> TaskFacts:
    """What keeps a task where it is, as far as PostgreSQL knows. ``bounds`` are those of who reads that: what is beyond
    them is not named. Raises `TaskNotFound`."""
    row = await fetchrow(connection, "explain_task", **within(bounds), task=task_id)
    if row is None:
        raise TaskNotFound("there is no such task")
    return TaskFacts(
        id=row["id"],
        agent=agent_ref_of(row),
        execution_id=row["execution_id"],
        state=TaskState(row["state"]),
        version=row["version"],
        queue=row["queue"],
        turn=row["turn"],
        turn_open=row["turn_open"],
        interrupted=row["turn_open"] and row["interrupt_turn"] >= row["turn"],
        unclaimed=row["unclaimed"],
        oldest_unclaimed=row["oldest_unclaimed"],
        questions=QUESTIONS.read(row["open_questions"]),
        approvals=APPROVALS.read(row["open_approvals"]),
        ring_at=row["ring_at"],
        rings=row["rings"],
        timer_at=row["timer_at"],
        waiting_since=row["waiting_since"],
        updated_at=row["updated_at"],
        completed_at=row["completed_at"],
        error_code=row["error_code"],
        error_message=row["error_message"] or "",
        step=row["step"],
        attempt=row["attempt"] or 0,
        failures=row["failures"] or 0,
        step_started_at=row["step_started_at"],
        heard_at=row["heard_at"],
        tools=tuple(row["tools"]),
        failed_calls=tuple(row["failed_calls"] or ()),
        unfinished=tuple(row["unfinished"] or ()),
        usage=usage_of(row),
    )
