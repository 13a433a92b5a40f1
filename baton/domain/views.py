"""What reads give: executions, tasks and messages as PostgreSQL has them, for dialects to put into their own words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar
from uuid import UUID

from baton.domain.approvals import Approval, ApprovalState
from baton.domain.authors import Author
from baton.domain.compactions import Compaction
from baton.domain.conversation import Attachment, Question, Usage
from baton.domain.json import JsonObject, JsonValue
from baton.domain.results import value_of
from baton.domain.states import ExecutionState, MessageState, TaskState

T = TypeVar("T")
#: What an execution's metadata has at which paths, as text: what a list is narrowed to.
MetadataAt: TypeAlias = Mapping[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class AgentRef:
    """An agent by all its names."""

    id: UUID
    number: int
    name: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as it is now.

    ``queued`` counts the messages that no turn has claimed, ``questions`` and ``approvals`` are the open ones,
    ``granted_tools`` were consented to for the rest of the task, ``plan_only``: it may call none that changes things;
    ``result`` is what the last turn that ended it said, as text, ``result_json`` whether it is JSON by a schema;
    ``error`` is a stable code, ``error_message`` what was wrong in words, ``limits`` its own, ``usage`` what its steps
    have used so far. ``cut``: it was read with all tasks of a large plan, without its description, result, questions
    and approvals.
    """

    id: UUID
    number: int
    execution_id: UUID
    position: int
    title: str
    description: str
    depends_on: tuple[int, ...]
    agent: AgentRef
    state: TaskState
    version: int
    turn: int
    queued: int
    questions: tuple[Question, ...]
    approvals: tuple[Approval, ...]
    granted_tools: tuple[str, ...]
    plan_only: bool
    waiting_since: datetime | None
    result: str | None
    error: str | None
    error_message: str
    limits: JsonObject
    usage: Usage
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    cut: bool = False
    result_json: bool = False

    @property
    def output(self) -> JsonValue:
        """The result: JSON where it had to be, else text."""
        return value_of(self.result, is_json=self.result_json)


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """A task with what few ask for: ``turn_open``, whether a turn is under way; its execution's ``metadata``."""

    task: TaskView
    turn_open: bool
    metadata: JsonObject


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """An execution as it is now.

    ``tasks`` by position; None in lists, where only ``counts`` says how many are in which state. ``last_event`` is the
    number of the newest event. ``plan`` is what was given, {} for a single task. ``usage`` is that of all its
    tasks, which ``limits`` bound together. ``asks``: a task of it waits for an answer, and not for consent alone.
    """

    id: UUID
    in_plan: bool
    title: str
    summary: str
    state: ExecutionState
    asks: bool
    agent: AgentRef
    queue: str
    plan_generation_id: str | None
    plan: JsonObject
    metadata: JsonObject
    tasks: tuple[TaskView, ...] | None
    counts: dict[TaskState, int]
    limits: JsonObject
    usage: Usage
    last_event: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message and what became of it: its receipt. ``task_version`` is its task's, when it was read."""

    id: UUID
    seq: int
    task_id: UUID
    execution_id: UUID
    state: MessageState
    turn: int | None
    text: str
    attachments: tuple[Attachment, ...]
    origin: str
    sender: str
    author: Author | None
    answers: tuple[str, ...]
    reason: str | None
    accepted_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None
    pinned: bool
    task_version: int


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """An approval and what became of it.

    ``arguments`` are the model's, bound by ``digest``; ``edited`` those it was approved with where they are others,
    bound by ``approved_digest``. ``decided_by`` (a name), ``author`` (who that was, None where older
    code recorded it), ``decided_at`` and ``reason`` are None while it is open;
    ``task_version`` and ``task_state`` are its task's, when it was read.
    """

    id: UUID
    task_id: UUID
    execution_id: UUID
    agent_id: UUID
    task_version: int
    task_state: TaskState
    turn: int
    step: int
    call_id: str
    tool: str
    arguments: JsonObject
    digest: str
    state: ApprovalState
    asked_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    author: Author | None
    reason: str | None
    edited: JsonObject | None
    approved_digest: str | None


@dataclass(frozen=True, slots=True)
class CompactionView:
    """A compaction as the record has it. ``undone_at``: the model reads what it stands for again, None where not."""

    compaction: Compaction
    created_at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list. ``next_cursor`` reads on after it, None at the end. ``total`` only where it was asked for."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    total: int | None = None
