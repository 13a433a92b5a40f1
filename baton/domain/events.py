"""The one event vocabulary. Dialects are encoders of it.

An event says what happened; `task_state` and `execution_state` say which states it brought about, and are None where
they did not change. One that brings an execution to wait has `waiting: [WaitingTask]`, whatever it is. An execution's
events are numbered 1, 2, 3, … without gaps.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from baton.domain.json import JsonObject
from baton.domain.states import ExecutionState, TaskState


class EventType(StrEnum):
    """Past participles. What `Event.data` holds is said at each."""

    EXECUTION_CREATED = "execution.created"  #: {title, tasks: [{id, position, title}]}
    TASK_STARTED = "task.started"  #: {} its dependencies have succeeded
    TASKS_STARTED = "tasks.started"  #: {tasks: [position]} more than one was started side by side
    TASK_FAILED = "task.failed"  #: {code} failed without a turn (a dependency failed)
    TASK_RESET = "task.reset"  #: {} back to pending
    MESSAGE_ACCEPTED = "message.accepted"  #: {message_id, seq, text, origin, sender, answers: [question id],
    #: decides: [approval id], queued}
    MESSAGE_EDITED = "message.edited"  #: {message_id, seq, text}
    MESSAGE_WITHDRAWN = "message.withdrawn"  #: {message_id, seq, questions, approvals, result, error, waiting: […]}
    MESSAGE_REDRIVEN = "message.redriven"  #: as `MESSAGE_ACCEPTED`, and was_seq
    MESSAGES_DEAD = "messages.dead"  #: {messages: [{message_id, seq}], reason}
    TURN_STARTED = "turn.started"  #: {turn, messages: [{message_id, seq}]}
    STEP_STARTED = "step.started"  #: {turn, step}
    STEP_VOIDED = "step.voided"  #: {turn, step, attempt} what this attempt had streamed is void
    TEXT_DELTA = "text.delta"  #: {turn, step, attempt, text}
    STEP_COMPLETED = "step.completed"  #: {turn, step, text, calls: [{id, name, arguments}], interrupted?}
    STEP_FAILED = "step.failed"  #: {turn, step, attempt, code, retrying}
    TOOL_STARTED = "tool.started"  #: {turn, step, call_id, name, arguments}
    TOOL_COMPLETED = "tool.completed"  #: {turn, step, call_id, name, content, failed}
    QUESTION_ASKED = "question.asked"  #: {question_id, text, choices, schema}
    QUESTION_REMINDED = "question.reminded"  #: {question_id, text} nobody has answered for a while
    QUESTION_ESCALATED = "question.escalated"  #: {question_id, text} somebody else should answer
    APPROVAL_ASKED = "approval.asked"  #: {approval_id, turn, step, call_id, tool, arguments, digest}
    APPROVAL_DECIDED = "approval.decided"  #: {approval_id, call_id, tool, decision, by, reason, arguments, digest}
    NOTE_WRITTEN = "note.written"  #: {turn, step, call_id, name, text}
    #: {turn, outcome, result, error, messages: [{message_id, seq}], questions, approvals, waiting: [WaitingTask]}
    TURN_ENDED = "turn.ended"
    TASK_PAUSED = "task.paused"  #: {by}
    TASK_RESUMED = "task.resumed"  #: {by, questions: the open ones if it waits again}
    TASK_CANCELLED = "task.cancelled"  #: {by, reason}
    WORKFLOW_LOST = "workflow.lost"  #: {status} the task's workflow is gone; what became of the task, its state says
    TASK_REPAIRED = "task.repaired"  #: {what} its row did not fit its messages, and does again
    EXECUTION_CHANGED = "execution.changed"  #: {} only the execution's state changed
    OTHER = "other"  #: an event of newer code than this, which shares the database while it is rolled out

    @classmethod
    def _missing_(cls, value: object) -> "EventType":
        return cls.OTHER


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be appended; its number and time are given when it is."""

    type: EventType
    data: JsonObject
    task_id: UUID | None = None
    task_state: TaskState | None = None
    execution_state: ExecutionState | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of an execution's log. ``position`` is the task's integer in its plan."""

    seq: int
    type: EventType
    at: datetime
    data: JsonObject
    task_id: UUID | None
    position: int | None
    task_state: TaskState | None
    execution_state: ExecutionState | None
