"""What `/baton/v1` answers, typed. Decoding is tolerant: fields that are unknown here are left alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from baton.domain.states import ExecutionState, MessageState, TaskState

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What a waiting task asks. ``choices`` are offers; ``schema`` is a rule that the server holds an answer to."""

    id: str
    text: str
    choices: tuple[str, ...] = ()
    schema: Json | None = None

    @classmethod
    def of(cls, json: Json) -> "Question":
        """Decode `Task.questions[]`, or the data of `question.asked` (there the id is `question_id`)."""
        return cls(
            id=str(json.get("id") or json.get("question_id") or ""),
            text=str(json.get("text") or ""),
            choices=tuple(str(choice) for choice in json.get("choices") or ()),
            schema=json.get("schema"),
        )


@dataclass(frozen=True, slots=True)
class Approval:
    """A tool call that waits for consent, or what became of it. ``state`` is `open` for those of a waiting task."""

    id: str
    tool: str
    arguments: Json
    digest: str
    state: str
    reason: str
    json: Json

    @classmethod
    def of(cls, json: Json) -> "Approval":
        """Decode an approval, or `Task.approvals[]`."""
        return cls(
            id=json["id"],
            tool=str(json.get("tool") or ""),
            arguments=json.get("arguments") or {},
            digest=str(json.get("digest") or ""),
            state=str(json.get("state") or "open"),
            reason=str(json.get("reason") or ""),
            json=json,
        )


@dataclass(frozen=True, slots=True)
class Task:
    """A task, as it was when it was read."""

    id: str
    execution_id: str
    position: int
    title: str
    depends_on: tuple[int, ...]
    state: TaskState
    version: int
    questions: tuple[Question, ...]
    waiting_since: datetime | None
    result: str | None
    error: str | None
    approvals: tuple[Approval, ...] = ()

    @classmethod
    def of(cls, json: Json) -> "Task":
        """Decode a task."""
        error: Json = json.get("error") or {}
        return cls(
            id=json["id"],
            execution_id=json["execution_id"],
            position=json["position"],
            title=str(json.get("title") or ""),
            depends_on=tuple(json.get("depends_on") or ()),
            state=TaskState(json["state"]),
            version=int(json.get("version") or 0),
            questions=tuple(Question.of(question) for question in json.get("questions") or ()),
            waiting_since=time_of(json.get("waiting_since")),
            result=json.get("result"),
            error=error.get("code"),
            approvals=tuple(Approval.of(approval) for approval in json.get("approvals") or ()),
        )


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution with its tasks. ``last_event`` is the number of the newest event that this includes."""

    id: str
    kind: str
    title: str
    summary: str
    state: ExecutionState
    tasks: tuple[Task, ...]
    last_event: int

    @classmethod
    def of(cls, json: Json) -> "Execution":
        """Decode an execution."""
        return cls(
            id=json["id"],
            kind=str(json.get("kind") or "plan"),
            title=str(json.get("title") or ""),
            summary=str(json.get("summary") or ""),
            state=ExecutionState(json["state"]),
            tasks=tuple(Task.of(task) for task in json.get("tasks") or ()),
            last_event=int(json.get("last_event") or 0),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server said when it had accepted a message. ``replayed``: it had accepted this one before."""

    id: str
    seq: int
    task_id: str
    execution_id: str
    task_state: TaskState
    task_version: int
    replayed: bool
    json: Json

    @classmethod
    def of(cls, json: Json, *, replayed: bool) -> "Receipt":
        """Decode the body of a 202."""
        task: Json = json.get("task") or {}
        return cls(
            id=json["id"],
            seq=int(json["seq"]),
            task_id=json["task_id"],
            execution_id=json["execution_id"],
            task_state=TaskState(task.get("state", "running")),
            task_version=int(task.get("version") or 0),
            replayed=replayed,
            json=json,
        )


@dataclass(frozen=True, slots=True)
class Message:
    """A message and what became of it. ``task_state`` is known where somebody has just changed something about it."""

    id: str
    seq: int
    task_id: str
    state: MessageState
    turn: int | None
    text: str
    sender: str
    reason: str | None
    since: datetime | None  #: when it came into its state
    task_state: TaskState | None
    json: Json

    @classmethod
    def of(cls, json: Json) -> "Message":
        """Decode a message."""
        task: Json = json.get("task") or {}
        return cls(
            id=json["id"],
            seq=int(json["seq"]),
            task_id=json["task_id"],
            state=MessageState(json["state"]),
            turn=json.get("turn"),
            text=str(json.get("text") or ""),
            sender=str(json.get("sender") or ""),
            reason=json.get("reason"),
            since=time_of(json.get("ended_at") or json.get("claimed_at") or json.get("accepted_at")),
            task_state=TaskState(task["state"]) if task else None,
            json=json,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of an execution's log. ``type`` is one of `baton.domain.events.EventType`, or newer than this client.

    ``raw`` is the entry as the server wrote it.
    """

    seq: int
    type: str
    at: datetime
    task_id: str | None
    position: int | None
    task_state: TaskState | None
    execution_state: ExecutionState | None
    data: Json
    raw: str = ""

    @classmethod
    def of(cls, json: Json, raw: str = "") -> "Event":
        """Decode an event."""
        task_state, execution_state = json.get("task_state"), json.get("execution_state")
        at = time_of(json["at"])
        assert at is not None
        return cls(
            seq=int(json["seq"]),
            type=json["type"],
            at=at,
            task_id=json.get("task_id"),
            position=json.get("position"),
            task_state=TaskState(task_state) if task_state else None,
            execution_state=ExecutionState(execution_state) if execution_state else None,
            data=json.get("data") or {},
            raw=raw,
        )


def time_of(text: str | None) -> datetime | None:
    """Decode an RFC 3339 time; aware. None stays None."""
    return datetime.fromisoformat(text) if text else None
