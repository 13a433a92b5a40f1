"""The shapes of Asteroid's API. What clients send beside these is left alone."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, model_validator

from baton.domain.views import MetadataAt

PREFIX: Final = "/agents/v2"
#: What an older part of the API goes by.
POLLED: Final = "/api/v1/execution"

Status = Literal[
    "starting",
    "running",
    "paused",
    "awaiting_confirmation",
    "paused_by_agent",
    "completed",
    "cancelled",
    "failed",
]
#: What a caller can bring an execution to.
UpdateableStatus = Literal["running", "paused", "cancelled"]


class UserMessage(BaseModel):
    """What a user says."""

    model_config = ConfigDict(extra="ignore")

    message: StrictStr


class ExecuteAgentRequest(BaseModel):
    """What an agent is to work on. ``dynamicData`` is an older name for ``inputs``; ``metadata`` is kept as it is."""

    model_config = ConfigDict(extra="ignore")

    inputs: dict[str, Any] | None = None
    dynamicData: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class UpdateStatusRequest(BaseModel):
    """What an execution is to be brought to."""

    model_config = ConfigDict(extra="ignore")

    status: UpdateableStatus


class PageQuery(BaseModel):
    """Which page of a list; ``page`` counts from 1."""

    model_config = ConfigDict(extra="ignore")

    page: Annotated[int, Field(ge=1, le=2**31)] = 1
    pageSize: Annotated[int, Field(ge=1, le=500)] = 20


class AgentsQuery(PageQuery):
    """Which page of which agents. ``searchName``: what their names hold, in any case."""

    searchName: str | None = None


class ListQuery(PageQuery):
    """Which page of which executions.

    ``agentId`` is an agent's uuid, integer or name; ``executionId`` what an id holds, in any case. ``metadataKey`` and
    ``metadataValue`` go together: the value is compared as text.
    """

    # "queued" is known to newer clients; nothing here ever is.
    status: list[Literal[Status, "queued"]] = []
    agentId: str | None = None
    executionId: str | None = None
    metadataKey: str | None = None
    metadataValue: str | None = None

    @model_validator(mode="after")
    def _together(self) -> "ListQuery":
        if (self.metadataKey is None) is not (self.metadataValue is None):
            raise ValueError("metadataKey and metadataValue must be used together")
        return self

    @property
    def metadata(self) -> MetadataAt | None:
        """The metadata that executions must have, None for any."""
        if self.metadataKey is None or self.metadataValue is None:
            return None
        return {(self.metadataKey,): self.metadataValue}


class ActivitiesQuery(BaseModel):
    """Which activities, at most how many, and in which order of their times."""

    model_config = ConfigDict(extra="ignore")

    order: Literal["asc", "desc"] = "asc"
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000


class Started(BaseModel):
    """An execution that was started."""

    model_config = ConfigDict(extra="forbid")

    executionId: str
    status: Status


class StatusChange(BaseModel):
    """An execution, and what it was brought to."""

    model_config = ConfigDict(extra="forbid")

    executionId: str
    status: UpdateableStatus


class ExecutionResult(BaseModel):
    """What came of an execution. ``result`` is a single task's text, or JSON where it has a result schema, or
    a list of what each task of a plan came to."""

    model_config = ConfigDict(extra="forbid")

    id: str
    executionId: str
    outcome: Literal["success", "failure"]
    reasoning: str
    result: Any
    createdAt: datetime


class Execution(BaseModel):
    """An execution. An agent has one workflow here, in one version: both go by the agent's id and name."""

    model_config = ConfigDict(extra="forbid")

    id: str
    agentId: str
    workflowId: str
    workflowVersionId: str
    status: Status
    createdAt: datetime
    startedAt: datetime | None = None
    terminalAt: datetime | None = None
    organizationId: str
    agentName: str
    workflowName: str
    executionResult: ExecutionResult | None = None
    humanLabels: list[Any]
    comments: list[Any]
    metadata: dict[str, Any]
    hasBeenRerun: bool


class Executions(BaseModel):
    """A page of executions, newest first."""

    model_config = ConfigDict(extra="forbid")

    items: list[Execution]
    page: int
    pageSize: int
    total: int


class AgentInList(BaseModel):
    """An agent."""

    model_config = ConfigDict(extra="forbid")

    id: str
    name: str
    createdAt: datetime
    organizationId: str
    userId: str


class AgentPage(BaseModel):
    """A page of agents, oldest first."""

    model_config = ConfigDict(extra="forbid")

    items: list[AgentInList]
    page: int
    pageSize: int
    total: int


class PolledStatus(BaseModel):
    """An execution's status. ``reason``: why it has failed."""

    model_config = ConfigDict(extra="forbid")

    execution_id: str
    status: Status
    updated_at: datetime
    reason: str | None = None


class PolledResult(BaseModel):
    """What came of an execution: a result, or why there is none; neither while it goes on, and if it was cancelled."""

    model_config = ConfigDict(extra="forbid")

    execution_result: ExecutionResult | None = None
    error: str | None = None


class Payload(BaseModel):
    """What happened: its type, and beside it the fields of that type."""

    model_config = ConfigDict(extra="allow")

    activityType: Literal[
        "generic", "reasoning", "step_started", "step_completed", "status_changed", "user_message_received"
    ]


class Activity(BaseModel):
    """One thing that happened in an execution. ``id`` is the same whenever it is read."""

    model_config = ConfigDict(extra="forbid")

    id: str
    executionId: str
    timestamp: datetime
    payload: Payload


def reference(name: str) -> dict[str, Any]:
    """A reference to one of `PUBLISHED`."""
    return {"$ref": f"#/components/schemas/{name}"}


def _error(status: int | None, name: str = "") -> dict[str, Any]:
    code: dict[str, Any] = {"type": "number"}
    if status is not None:
        code |= {"enum": [status], "x-enum-varnames": [name]}
    return {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": code, "message": {"type": "string"}},
    }


_ANY_ERROR: Final = "Common.Error"
_ERRORS: Final = {
    400: "Common.BadRequestErrorBody",
    401: "Common.UnauthorizedErrorBody",
    403: "Common.ForbiddenErrorBody",
    404: "Common.NotFoundErrorBody",
    500: "Common.InternalServerErrorBody",
}

#: Schemas under the names that the vendor has for them.
PUBLISHED: Final[dict[str, dict[str, Any]]] = {
    "Common.uuid": {"format": "uuid", "type": "string"},
    "Agents.Execution.UserMessagesAddTextBody": {
        "type": "object",
        "required": ["message"],
        "properties": {"message": {"type": "string"}},
    },
    "Common.BadRequestErrorBody": _error(400, "BadRequest"),
    "Common.UnauthorizedErrorBody": _error(401, "Unauthorized"),
    "Common.ForbiddenErrorBody": _error(403, "Forbidden"),
    "Common.NotFoundErrorBody": _error(404, "NotFound"),
    "Common.InternalServerErrorBody": _error(500, "InternalServerError"),
    _ANY_ERROR: _error(None),
}


def _errors(*answers: tuple[int, str]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {
            "description": description,
            "content": {"application/json": {"schema": reference(_ERRORS.get(status, _ANY_ERROR))}},
        }
        for status, description in answers
    }


#: The errors that any route may answer with.
READ_ERRORS: Final = _errors(
    (400, "Invalid request"),
    (401, "Missing or invalid key"),
    (403, "The key lacks the required scope"),
    (404, "Not found, or owned by another tenant"),
    (429, "Rate limit exceeded"),
    (500, "Internal error"),
    (503, "Temporarily unavailable, nothing was stored: retry"),
    (504, "The database did not respond in time: retry with the same Idempotency-Key"),
)
#: The errors of routes that change what an execution does.
CONTROL_ERRORS: Final = READ_ERRORS | _errors((409, "The execution's state does not allow this"))
#: The errors of routes that read a body.
BODY_ERRORS: Final = READ_ERRORS | _errors((413, "The body is too large"), (415, "The body is not JSON"))
#: The errors of routes that send a message.
SEND_ERRORS: Final = (
    BODY_ERRORS
    | CONTROL_ERRORS
    | _errors(
        (412, "The task has changed"),
        (422, "The answer violates the question's schema, or the Idempotency-Key was used for another message"),
    )
)


def plain(text: str) -> dict[str, Any]:
    """An answer that is always this text."""
    return {"content": {"text/plain": {"schema": {"type": "string", "enum": [text]}}}}
