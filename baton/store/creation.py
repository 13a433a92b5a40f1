"""Executions as they begin: stored whole in one statement."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from uuid import UUID

from baton.domain.conversation import Attachment, Usage
from baton.domain.events import ExecutionCreated, NewEvent, TaskStarted
from baton.domain.events.codec import encode
from baton.domain.events.executions import PlannedTask
from baton.domain.ids import (
    AgentId,
    ExecutionId,
    TaskId,
    TenantId,
)
from baton.domain.json import JsonObject, JsonValue
from baton.domain.states import ExecutionState, TaskState
from baton.domain.views import AgentRef, ExecutionView, TaskView
from baton.store.codecs import ATTACHMENTS
from baton.store.pool import Connection
from baton.store.queries import fetchrow


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that is to be made. ``position`` is its integer in the plan.

    ``granted_tools`` need no approvals in it; ``plan_only``: its agent may call no tool that changes things; ``limits``
    bound it beside those of its agent; ``agent`` is its own, None for the execution's;
    ``result_schema`` is what its result must obey, None: as its agent says.
    """

    id: TaskId
    position: int
    title: str
    description: str
    depends_on: tuple[int, ...] = ()
    granted_tools: tuple[str, ...] = ()
    plan_only: bool = False
    attachments: tuple[Attachment, ...] = ()
    limits: JsonObject = field(default_factory=dict[str, "JsonValue"])
    agent: AgentRef | None = None
    result_schema: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class NewExecution:
    """An execution that is to be made. One that is not ``in_plan`` has exactly one task, which runs at once.

    ``limits`` bound all of its tasks together.
    """

    tenant_id: TenantId
    id: UUID
    in_plan: bool
    agent_id: AgentId
    title: str
    queue: str
    tasks: tuple[NewTask, ...]
    summary: str = ""
    plan: JsonObject = field(default_factory=dict[str, "JsonValue"])
    plan_generation_id: str | None = None
    metadata: JsonObject = field(default_factory=dict[str, "JsonValue"])
    limits: JsonObject = field(default_factory=dict[str, "JsonValue"])

    @property
    def shared(self) -> bool:
        """Whether tasks of it are of other agents."""
        return any(task.agent is not None and task.agent.id != self.agent_id for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Created:
    """What PostgreSQL gave an execution when it was made: the time, and its tasks' integers, by position."""

    at: datetime
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """An execution that was made some time ago, as far as nothing of that can have changed. ``tasks``, each with its
    agent, by position."""

    agent: AgentRef
    created: Created
    tasks: tuple[tuple[TaskId, AgentRef], ...]

    def filled(self, new: NewExecution) -> NewExecution:
        """What it was made from, if ``new`` is an equal request: with the tasks' ids and agents that it has."""
        made = dict(zip(sorted(task.position for task in new.tasks), self.tasks, strict=True))
        tasks = ((task, *made[task.position]) for task in new.tasks)
        return replace(new, tasks=tuple(replace(task, id=own_id, agent=agent) for task, own_id, agent in tasks))


async def create(connection: Connection, new: NewExecution, *, ring_seconds: float) -> Created:
    """Store an execution, its tasks and its first events: one statement, so it is there whole or not at all.

    A plan's tasks are pending until its workflow looks; a single task is running, version 1. ``ring_seconds`` is how
    long the relay waits before it rings what nobody has taken up.
    """
    tasks: list[JsonObject] = [
        {
            "id": str(task.id),
            "position": task.position,
            "title": task.title,
            "description": task.description,
            "attachments": cast("list[JsonValue]", ATTACHMENTS.write(task.attachments)),
            "depends_on": cast("list[JsonValue]", list(task.depends_on)),
            "granted_tools": cast("list[JsonValue]", list(task.granted_tools)),
            "plan_only": task.plan_only,
            "limits": task.limits,
            "result_schema": task.result_schema,
            "agent": None if task.agent is None else str(task.agent.id),
        }
        for task in new.tasks
    ]
    events = _first_events(new)
    row = await fetchrow(
        connection,
        "create_execution",
        tenant=new.tenant_id,
        execution=new.id,
        in_plan=new.in_plan,
        agent=new.agent_id,
        title=new.title,
        summary=new.summary,
        plan=new.plan,
        plan_generation_id=new.plan_generation_id,
        metadata=new.metadata,
        limits=new.limits,
        shared=new.shared,
        queue=new.queue,
        state=_first_state(new),
        ring_seconds=ring_seconds,
        tasks=tasks,
        types=[event.body.type for event in events],
        data=[encode(event) for event in events],
    )
    assert row is not None
    return Created(row["created_at"], tuple(row["numbers"]))


async def created(connection: Connection, tenant_id: TenantId, execution_id: ExecutionId) -> Made | None:
    """What is known for good of an execution that was made, or None."""
    row = await fetchrow(connection, "created_execution", tenant=tenant_id, execution=execution_id)
    if row is None:
        return None
    agent = AgentRef(row["agent_id"], row["agent_number"], row["agent_name"])
    agents = (AgentRef(UUID(one["id"]), one["number"], one["name"]) for one in row["agents"])
    tasks = tuple(zip(row["tasks"], agents, strict=True))
    return Made(agent, Created(row["created_at"], tuple(row["numbers"])), tasks)


def as_created(new: NewExecution, agent: AgentRef, created: Created) -> ExecutionView:
    """An execution as it is right after `create`: what `baton.store.executions.view` would give then."""
    state = _first_state(new)
    started_at = None if new.in_plan else created.at
    tasks = tuple(
        TaskView(
            id=task.id,
            number=number,
            execution_id=new.id,
            position=task.position,
            title=task.title,
            description=task.description,
            depends_on=task.depends_on,
            agent=task.agent or agent,
            state=TaskState(state),
            version=1,
            turn=0,
            queued=0,
            questions=(),
            approvals=(),
            granted_tools=task.granted_tools,
            plan_only=task.plan_only,
            waiting_since=None,
            result=None,
            error=None,
            error_message="",
            limits=task.limits,
            usage=Usage(),
            created_at=created.at,
            started_at=started_at,
            completed_at=None,
            updated_at=created.at,
        )
        for task, number in zip(sorted(new.tasks, key=lambda task: task.position), created.numbers, strict=True)
    )
    return ExecutionView(
        id=new.id,
        in_plan=new.in_plan,
        title=new.title,
        summary=new.summary,
        state=state,
        asks=False,
        agent=agent,
        queue=new.queue,
        plan_generation_id=new.plan_generation_id,
        plan=new.plan,
        metadata=new.metadata,
        tasks=tasks,
        counts={TaskState(state): len(tasks)},
        limits=new.limits,
        usage=Usage(),
        last_event=len(_first_events(new)),
        created_at=created.at,
        started_at=started_at,
        completed_at=None,
        updated_at=created.at,
    )


def _first_state(new: NewExecution) -> ExecutionState:
    """An execution's state at first, and its tasks'."""
    return ExecutionState.PENDING if new.in_plan else ExecutionState.RUNNING


def _first_events(new: NewExecution) -> list[NewEvent]:
    planned = tuple(PlannedTask(id=task.id, position=task.position, title=task.title) for task in new.tasks)
    events = [NewEvent(ExecutionCreated(title=new.title, tasks=planned))]
    if not new.in_plan:
        events.append(NewEvent(TaskStarted(title=new.tasks[0].title)))
    return events
