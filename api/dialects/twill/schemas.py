"""The shapes of Twill's API. What clients send beside these is left alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, StringConstraints, field_validator

API: Final = "/api/v1"

Status = Literal["PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED"]
Intent = Literal["SWE", "PLAN", "ASK", "DEV_ENVIRONMENT"]
Text = Annotated[StrictStr, StringConstraints(min_length=1)]


class FilePart(BaseModel):
    """A file that comes with what is said. ``url`` is http(s), or a `data:` URL that holds the file."""

    model_config = ConfigDict(extra="ignore")

    filename: StrictStr
    media_type: Annotated[StrictStr, Field(alias="mediaType")]
    url: Annotated[StrictStr, StringConstraints(pattern=r"^(?i:https?://|data:)")]


class SendMessageRequest(BaseModel):
    """What the user says next. Read by this; published as `PUBLISHED` has it."""

    model_config = ConfigDict(extra="ignore")

    message: Text
    user_intent: Annotated[Intent | None, Field(alias="userIntent")] = None
    files: Annotated[list[FilePart], Field(default_factory=list[FilePart])]

    @field_validator("user_intent", mode="before")
    @classmethod
    def _is_given(cls, value: object) -> object:
        """It may be left out, but what is published has no null."""
        if value is None:
            raise ValueError("must be one of SWE, PLAN, ASK, DEV_ENVIRONMENT")
        return value


class CreateTaskRequest(BaseModel):
    """A new task. ``agent`` is one of Baton's by its uuid, its integer or its name; a vendor's stands for the default.

    ``title``: made from the command if there is none.
    """

    model_config = ConfigDict(extra="ignore")

    command: Text
    user_intent: Annotated[Intent | None, Field(alias="userIntent")] = None
    title: StrictStr | None = None
    agent: StrictStr | None = None
    files: Annotated[list[FilePart], Field(default_factory=list[FilePart])]


class TaskSummary(BaseModel):
    """A task by its names."""

    id: str
    slug: str
    title: str
    url: str


class TaskDetail(TaskSummary):
    """A task."""

    createdAt: datetime
    updatedAt: datetime


class TaskInList(TaskSummary):
    """A task in a list."""

    createdAt: datetime
    latestJobStatus: Status


class JobRef(BaseModel):
    """A job, and how it stands."""

    id: str
    status: Status


class LatestJob(JobRef):
    """A task's last job. ``plan`` and ``finalAnswer`` are null until it is completed."""

    type: str
    startedAt: datetime | None
    completedAt: datetime | None
    plan: str | None
    finalAnswer: str | None


class JobInList(LatestJob):
    """A job in a task's history. ``input`` is what the user said, ``error`` why it has failed."""

    input: str
    error: str | None
    createdAt: datetime


class CreateTaskResponse(BaseModel):
    """A task that was made, and its first job."""

    task: TaskSummary
    job: JobRef


class GetTaskResponse(BaseModel):
    """A task and its last job."""

    task: TaskDetail
    latestJob: LatestJob | None


class ListTasksResponse(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[TaskInList]
    nextCursor: str | None


class ListTaskJobsResponse(BaseModel):
    """A page of a task's jobs in the order in which they came; the next page has those before."""

    jobs: list[JobInList]
    nextCursor: str | None


class TaskRef(BaseModel):
    """A task by its id."""

    id: str


class TaskDoneResponse(BaseModel):
    """What was asked for was done to a task."""

    success: bool
    task: TaskRef


class JobDoneResponse(BaseModel):
    """What was asked for was done to a job."""

    success: bool
    job: JobRef


class RepositoriesResponse(BaseModel):
    """The repositories that tasks may work on."""

    repositories: list[Any]


class MeResponse(BaseModel):
    """Who calls, and whose tasks they see."""

    workspaceId: str
    userId: str
    apiKeyId: str
    workspaceName: str
    workspaceSlug: str


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_STRING: Final = {"type": "string"}

#: The schemas that the vendor publishes for its send call.
PUBLISHED: Final[Mapping[str, dict[str, Any]]] = {
    "SendMessageRequest": _object(
        ["message"],
        message=_STRING,
        userIntent={"type": "string", "enum": ["SWE", "PLAN", "ASK", "DEV_ENVIRONMENT"]},
        files={"type": "array", "items": _ref("FilePart")},
    ),
    "SendMessageResponse": _object(["job"], job=_ref("JobSummary")),
    "FilePart": _object(["filename", "mediaType", "url"], filename=_STRING, mediaType=_STRING, url=_STRING),
    "JobSummary": _object(["id", "status"], id=_STRING, status=_ref("JobStatus")),
    "ApiErrorResponse": _object(
        ["error"], error=_object(["code", "message"], code=_STRING, message=_STRING, details={})
    ),
    "JobStatus": {"type": "string", "enum": ["PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED"]},
}

#: The published answer to a message.
SENT: Final = {"description": "Accepted", "content": {"application/json": {"schema": _ref("SendMessageResponse")}}}


def _errors(*answers: tuple[int, str]) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"schema": _ref("ApiErrorResponse")}}
    return {status: {"description": description, "content": content} for status, description in answers}


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

#: The errors of routes that change something.
CHANGE_ERRORS: Final = READ_ERRORS | _errors((409, "The task's state does not allow this"))

#: The errors of routes that read a body.
WRITE_ERRORS: Final = READ_ERRORS | _errors((413, "The body is too large"), (415, "The body is not JSON"))

#: The errors of routes that send a message.
SEND_ERRORS: Final = (
    WRITE_ERRORS
    | CHANGE_ERRORS
    | _errors((412, "The task has changed"), (422, "The Idempotency-Key was used for another message"))
)
