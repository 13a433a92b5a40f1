"""The shapes of the chat task API. What clients send beside these is left alone."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, StringConstraints

PREFIX: Final = "/v1/chat/tasks"


def _none_if_null(value: Any) -> Any:
    """Null is none, though what is published has no null."""
    return {} if value is None else value


Metadata = Annotated[dict[str, Any], BeforeValidator(_none_if_null), Field(default_factory=dict[str, Any])]
Status = Literal["pending", "running", "completed", "failed", "paused", "waiting_for_user"]


class MessageBody(BaseModel):
    """What a user says."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["user"] = "user"
    content: Annotated[StrictStr, StringConstraints(min_length=1)]


class CreateTaskRequest(BaseModel):
    """A new task: its agent, and what the user says first. ``metadata`` is kept as it is."""

    model_config = ConfigDict(extra="ignore")

    agent_id: StrictInt
    message: MessageBody
    metadata: Metadata


class AppendMessageRequest(BaseModel):
    """What the user says next. ``agent_id`` is the task's; ``metadata`` is kept as it is."""

    model_config = ConfigDict(extra="ignore")

    agent_id: StrictInt
    message: MessageBody
    metadata: Metadata


class CreateTaskResponse(BaseModel):
    """A task that was made, and runs."""

    model_config = ConfigDict(extra="forbid")

    task_id: int
    agent_id: int
    status: Status
    created_at: datetime


class AppendMessageResponse(BaseModel):
    """A message that was accepted: it is stored, and the task's status is as it says."""

    task_id: int
    agent_id: int
    status: str
    accepted_at: datetime


class PendingInteraction(BaseModel):
    """What a task waits for: all its questions as one text, and each with its choices and its schema."""

    model_config = ConfigDict(extra="forbid")

    question: str
    interactions: list[dict[str, Any]]


class TaskInfoResponse(BaseModel):
    """A task as it is now: what it was told last, and what came of it. ``pending_interaction`` only while it waits."""

    model_config = ConfigDict(extra="forbid")

    task_id: int
    agent_id: int
    status: Status
    input: str | None
    output: str | None
    error: str | None
    created_at: datetime
    completed_at: datetime | None
    pending_interaction: PendingInteraction | None = None


class Step(BaseModel):
    """One thing that was said or done. ``id`` is the same whenever it is read, here and in the stream."""

    model_config = ConfigDict(extra="forbid")

    id: str
    type: Literal["thinking", "tool_call", "message"]
    status: Literal["running", "completed", "failed"]
    started_at: datetime
    completed_at: datetime | None
    data: dict[str, Any]


class StepsResponse(BaseModel):
    """A task's steps, in the order in which they started."""

    model_config = ConfigDict(extra="forbid")

    task_id: int
    agent_id: int
    steps: list[Step]


class ErrorBody(BaseModel):
    """What went wrong. ``code`` is stable."""

    model_config = ConfigDict(extra="forbid")

    code: str
    message: str


class ErrorResponse(BaseModel):
    """The body of every error."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorBody


def _errors(*answers: tuple[int, str]) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}
    return {
        status: {"description": description, "content": {"application/json": schema}} for status, description in answers
    }


#: The errors that any route may answer with.
READ_ERRORS: Final = _errors(
    (401, "Missing or invalid key"),
    (403, "The key lacks the required scope"),
    (404, "Not found, or owned by another tenant"),
    (422, "Invalid request"),
    (429, "Rate limit exceeded"),
    (500, "Internal error"),
    (503, "Temporarily unavailable, nothing was stored: retry"),
)

#: The errors of routes that read a body.
WRITE_ERRORS: Final = READ_ERRORS | _errors(
    (400, "The body is incomplete"),
    (413, "The body is too large"),
    (415, "The body is not JSON"),
)

#: The errors of routes that send a message.
SEND_ERRORS: Final = WRITE_ERRORS | _errors(
    (409, "The task's state does not allow this"),
    (412, "The task has changed"),
)
