"""The shapes of Baton's own API. Those of answers are for the document, and for the test that holds answers to them."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, StringConstraints

from baton.domain.approvals import ApprovalState, Verdict
from baton.domain.states import ExecutionState, MessageState, TaskState

PREFIX: Final = "/baton/v1"

_URLS: Final = ("http://", "https://", "data:")


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _url(text: str) -> str:
    if not text.lower().startswith(_URLS):
        raise ValueError("must be an http, https or data URL")
    return text


Text = Annotated[StrictStr, AfterValidator(_not_blank)]
Tools = Annotated[list[Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]], Field(max_length=100)]


class AttachmentIn(BaseModel):
    """A file that comes with a message."""

    model_config = ConfigDict(extra="forbid")

    filename: Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]
    media_type: Annotated[StrictStr, StringConstraints(pattern=r"^[\w.+-]+/[\w.+-]+$", max_length=255)]
    url: Annotated[StrictStr, AfterValidator(_url)]


class SendMessage(BaseModel):
    """A message to a task."""

    model_config = ConfigDict(extra="forbid")

    text: Text
    attachments: Annotated[list[AttachmentIn], Field(max_length=100)] = []
    metadata: dict[str, Any] = {}
    grants: Annotated[
        Tools, Field(description="Tools whose calls need no approval any more; calls of others that wait are declined.")
    ] = []
    plan_only: Annotated[
        StrictBool | None, Field(description="Whether the agent may only plan from then on, and change nothing.")
    ] = None


class DecideApproval(BaseModel):
    """A decision on a tool call that waits for consent."""

    model_config = ConfigDict(extra="forbid")

    decision: Verdict
    reason: Annotated[StrictStr, StringConstraints(max_length=10_000)] = ""
    arguments: Annotated[
        dict[str, Any] | None, Field(description="What the call is to be made with instead of what was asked for.")
    ] = None
    digest: Annotated[
        StrictStr | None, Field(description="The digest of the call that was seen: refused with 412 if it is another.")
    ] = None


class EditMessage(BaseModel):
    """What a message that no turn has read is to say instead. What is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid")

    text: Text | None = None
    attachments: Annotated[list[AttachmentIn] | None, Field(max_length=100)] = None


class StartExecution(BaseModel):
    """A plan, or the prompt of a single task."""

    model_config = ConfigDict(extra="forbid")

    plan: dict[str, Any] | None = None
    prompt: Text | None = None
    title: Text | None = None
    agent: Annotated[StrictInt | Text | None, Field(description="An agent's uuid, integer or name.")] = None
    queue: Annotated[Text | None, Field(description="The Temporal task queue.")] = None
    metadata: dict[str, Any] = {}
    granted_tools: Annotated[Tools, Field(description="Tools whose calls need no approval.")] = []
    plan_only: Annotated[
        StrictBool,
        Field(description="Whether the agent may only plan, and change nothing, until a message lifts that."),
    ] = False


class AgentOut(BaseModel):
    """An agent by all its names."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    number: int
    name: str


class QuestionOut(BaseModel):
    """What a waiting task asks."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: str
    text: str
    choices: list[str]
    schema_: dict[str, Any] | None = Field(alias="schema")
    asked_at: str


class OpenApproval(BaseModel):
    """A tool call that waits for consent, bound to ``digest``, the SHA-256 of tool and arguments."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    turn: int
    step: int
    call_id: str
    tool: str
    arguments: dict[str, Any]
    digest: str
    asked_at: datetime


class ApprovalOut(OpenApproval):
    """An approval, and what became of it. ``edited_arguments`` were approved instead of ``arguments``."""

    task_id: UUID
    execution_id: UUID
    state: ApprovalState
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    edited_arguments: dict[str, Any] | None
    approved_digest: str | None


class DecidedApproval(ApprovalOut):
    """An approval right after somebody decided on it, or found that it is so already."""

    task: "TaskAfter"


class ErrorOut(BaseModel):
    """Why a task failed."""

    model_config = ConfigDict(extra="forbid")

    code: str


class TaskOut(BaseModel):
    """A task as it is now. ``queued`` counts messages that no turn has taken."""

    model_config = ConfigDict(extra="forbid")

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
    result: str | None
    error: ErrorOut | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime


class ReasonOut(BaseModel):
    """One thing that keeps a task where it is. ``code`` is stable; ``text`` is for people."""

    model_config = ConfigDict(extra="forbid")

    code: str
    text: str
    since: datetime | None
    data: dict[str, Any]


class ExplanationOut(BaseModel):
    """Why a task is where it is, the most telling reason first."""

    model_config = ConfigDict(extra="forbid")

    task_id: UUID
    state: TaskState
    version: int
    reasons: list[ReasonOut]


class ExecutionInList(BaseModel):
    """An execution as lists show it: how many of its tasks are in which state."""

    model_config = ConfigDict(extra="forbid")

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
    last_event: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime


class ExecutionOut(ExecutionInList):
    """An execution with its tasks."""

    tasks: list[TaskOut]


class AttachmentOut(BaseModel):
    """A file that came with a message."""

    model_config = ConfigDict(extra="forbid")

    filename: str
    media_type: str
    url: str


class MessageOut(BaseModel):
    """A message's receipt: what became of it."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    seq: int
    task_id: UUID
    execution_id: UUID
    state: MessageState
    turn: int | None
    text: str
    attachments: list[AttachmentOut]
    origin: str
    sender: str
    answers: list[str]
    reason: str | None
    accepted_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None


class TaskAfter(BaseModel):
    """The task right after that."""

    model_config = ConfigDict(extra="forbid")

    state: TaskState
    version: int


class ChangedMessage(MessageOut):
    """A message right after somebody changed what becomes of it, or found that it is so already."""

    task: TaskAfter


class Accepted(BaseModel):
    """A message that was accepted: it is stored, and will reach the agent, in order."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    seq: int
    task_id: UUID
    execution_id: UUID
    state: Literal["accepted"]
    accepted_at: datetime
    task: TaskAfter


class Executions(BaseModel):
    """A page of executions."""

    items: list[ExecutionInList]
    next_cursor: str | None


class Tasks(BaseModel):
    """A page of tasks."""

    items: list[TaskOut]
    next_cursor: str | None


class Messages(BaseModel):
    """A page of messages."""

    items: list[MessageOut]
    next_cursor: str | None


class ProblemOut(BaseModel):
    """What went wrong (RFC 9457). ``code`` is stable; some codes come with data of their own."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str


def _problems(*answers: tuple[int, str]) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"$ref": "#/components/schemas/ProblemOut"}}
    return {
        status: {"description": description, "content": {"application/problem+json": schema}}
        for status, description in answers
    }


#: The errors that any route may answer with.
PROBLEMS: Final = _problems(
    (401, "No credentials, or none that count"),
    (403, "The credentials are good, but not for this"),
    (404, "There is none, or it belongs to somebody else"),
    (422, "What was sent does not fit"),
    (429, "Too many requests: `Retry-After` says when there may be more"),
    (503, "Nothing was stored: try again"),
)

#: What reading a body may come to, beside those.
BODY_PROBLEMS: Final = PROBLEMS | _problems((413, "The body is too large"))

#: What making or changing an agent may come to, beside those.
CHANGE_AGENT_PROBLEMS: Final = BODY_PROBLEMS | _problems(
    (409, "There is an agent of that name already"),
    (412, "The agent has changed since"),
)

#: What deciding on an approval may come to, beside those.
DECIDE_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "Something else was decided: `state` says what became of the approval"),
    (412, "The call is another than the one that was seen"),
    (413, "The body is too large"),
)

#: What sending a message may come to, beside those.
SEND_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "The task's state does not allow it"),
    (412, "The task has changed since"),
    (413, "The body is too large"),
)

#: What editing, withdrawing or redriving a message may come to, beside those.
CHANGE_PROBLEMS: Final = PROBLEMS | _problems(
    (409, "It is too late: `state` is the one that the message is in, or the task's"),
    (412, "The task has changed since"),
    (413, "The body is too large"),
)
