"""Executions: plans and single tasks."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from baton.client.schemas.agents import AgentOut, Limits, ResultSchema
from baton.client.schemas.base import PageOut, Shape, Text, Tools
from baton.client.schemas.tasks import TaskOut, UsageOut
from baton.domain.states import ExecutionState, TaskState


class StartExecution(Shape):
    """A plan, or the prompt of a single task."""

    plan: dict[str, Any] | None = None
    prompt: Text | None = None
    title: Text | None = None
    agent: Annotated[StrictInt | Text | None, Field(description="An agent's uuid, integer or name.")] = None
    queue: Annotated[Text | None, Field(description="The Temporal task queue.")] = None
    metadata: dict[str, Any] = {}
    granted_tools: Annotated[Tools, Field(description="Tools whose calls need no approval.")] = []
    limits: Annotated[
        Limits, Field(description="What bounds the task, or all tasks of the plan together: limits by name.")
    ] = {}
    result_schema: Annotated[
        ResultSchema | None,
        Field(description="What the result of a `prompt`'s task must obey; null: as its agent says, empty: nothing."),
    ] = None
    plan_only: Annotated[
        StrictBool,
        Field(description="Whether the agent may only plan, and change nothing, until a message lifts that."),
    ] = False


class ExecutionInList(Shape):
    """An execution as lists show it: how many of its tasks are in which state."""

    id: UUID
    kind: Literal["plan", "task"]
    title: str
    summary: str
    state: ExecutionState
    agent: AgentOut
    queue: str
    plan_generation_id: str | None
    metadata: dict[str, Any]
    task_counts: dict[TaskState, int]
    limits: dict[str, Any]
    usage: UsageOut
    last_event: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime


class ExecutionOut(ExecutionInList):
    """An execution with its tasks."""

    tasks: list[TaskOut]


class ChangedExecution(Shape):
    """An execution right after a change, for a caller without `tasks:read`."""

    id: UUID
    kind: Literal["plan", "task"]
    state: ExecutionState
    task_counts: dict[TaskState, int]
    last_event: int
    updated_at: datetime


class StartedExecution(ExecutionOut):
    """An execution right after it was started."""

    warnings: Annotated[
        list[str],
        Field(
            description="Keys of the plan that look misspelt and were not read, names of granted tools that may be "
            "wrong, and a task queue that no worker serves. Absent if there are none."
        ),
    ] = []


class Executions(PageOut[ExecutionInList]):
    """A page of executions."""
