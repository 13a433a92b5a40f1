"""The shapes of Maia's answers: for the document, and for the test that holds answers to them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.dialects.maia.schemas import AllowedTool, Mode, Status


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PermissionMessage(_Shape):
    """A call that needs permission, in words."""

    title: str
    body: str


class ToolDecision(_Shape):
    """A call that needs permission. `toolId` is the id of a decision about it."""

    type: Literal["tool"]
    toolId: UUID
    toolName: str
    toolInput: dict[str, Any]
    permissionMessage: PermissionMessage


class AskedQuestion(_Shape):
    """What is asked, what may be chosen, and the JSON Schema that an answer obeys."""

    question: str
    options: list[str]
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")]


class QuestionDecision(_Shape):
    """A question. `id` is the id of a decision that answers it; `questions` has one entry, of the index 0."""

    type: Literal["question"]
    id: str
    questions: list[AskedQuestion]


Pending = Annotated[ToolDecision | QuestionDecision, Field(discriminator="type")]


class PendingDecisions(_Shape):
    """What a task still waits for."""

    pendingDecisions: list[Pending]


class CreateTaskResponse(_Shape):
    """A task that was made, and runs. `warnings`: permitted tools that may not exist, and that no worker is there;
    absent if there are none."""

    taskId: UUID
    status: Status
    agentName: str
    createdAt: datetime
    warnings: list[str] = []


class StopTaskResponse(_Shape):
    """A task that was stopped: STOPPING until its turn has come to an end."""

    taskId: UUID
    status: Status


class TaskDetail(_Shape):
    """A task as it is now. `agentConfig` is what it was made with; its `mode` is the one of now."""

    taskId: UUID
    status: Status
    description: str
    createdAt: datetime
    modifiedAt: datetime
    agentConfig: dict[str, Any]
    grantedPermissions: list[AllowedTool]
    pendingDecisions: list[Pending]


class TaskInList(_Shape):
    """A task as lists have it."""

    taskId: UUID
    status: Status
    agentName: str
    mode: Mode
    description: str
    createdAt: datetime
    modifiedAt: datetime
    projectId: str | None = None
    branchId: str | None = None


class TaskList(_Shape):
    """A page of tasks, the first of which has the number 0. `total` counts those of all pages."""

    tasks: list[TaskInList]
    page: int
    size: int
    total: int


class TaskMessage(_Shape):
    """Something that was said or done. What belongs together has the same `groupId`."""

    data: dict[str, Any]
    groupId: str
    timestamp: datetime


class TaskMessages(_Shape):
    """A page of what was said and done, in order. `more` is the token of the next page, where there is one."""

    results: list[TaskMessage]
    more: str | None = None
