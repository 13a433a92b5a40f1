"""Tasks, and why they are where they are."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from baton.client.schemas.agents import AgentOut
from baton.client.schemas.approvals import OpenApproval
from baton.client.schemas.base import PageOut, Shape
from baton.domain.conversation import Usage
from baton.domain.states import TaskState


class QuestionOut(Shape):
    """What a waiting task asks."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    text: str
    choices: list[str]
    schema_: dict[str, Any] | None = Field(alias="schema")
    asked_at: str


class ErrorOut(Shape):
    """Why a task failed: a stable code, and what is known in words, such as the model provider's sentence."""

    code: str
    message: str


class UsageOut(Shape):
    """What was used: tokens (those of the input that came from a cache, and those of the output that were reasoning,
    are among them), what they cost as far as prices are known, and calls of models. Attempts that failed count."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    usd: float | None
    calls: int

    @property
    def used(self) -> Usage:
        """The same for code that adds it up."""
        return Usage(**dict(self))


class TaskOut(Shape):
    """A task as it is now. ``queued`` counts messages that no turn has taken."""

    id: UUID
    number: int
    execution_id: UUID
    position: int
    title: str
    description: str
    depends_on: list[int]
    agent: AgentOut
    state: TaskState
    version: int
    turn: int
    queued: int
    questions: list[QuestionOut]
    approvals: list[OpenApproval]
    granted_tools: list[str]
    plan_only: bool
    waiting_since: datetime | None
    result: Annotated[
        Any,
        Field(description="Text, or JSON where the task or its agent has a `result_schema`; null: none yet."),
    ]
    error: ErrorOut | None
    limits: dict[str, Any]
    usage: UsageOut
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    truncated: Annotated[
        bool,
        Field(
            description="Whether description, result, questions and approvals are left out, since the plan is large: "
            "read the task itself."
        ),
    ] = False


class ChangedTask(Shape):
    """A task right after a change, for a caller without `tasks:read`."""

    id: UUID
    number: int
    execution_id: UUID
    position: int
    state: TaskState
    version: int
    updated_at: datetime


class Tasks(PageOut[TaskOut]):
    """A page of tasks."""


class ReasonOut(Shape):
    """One thing that keeps a task where it is. ``code`` is stable; ``text`` is for people."""

    code: str
    text: str
    since: datetime | None
    data: dict[str, Any]


class ExplanationOut(Shape):
    """Why a task is where it is, the most telling reason first, and what it has used."""

    task_id: UUID
    agent: AgentOut
    state: TaskState
    version: int
    reasons: list[ReasonOut]
    usage: UsageOut
