"""Errands: what a task was told, by its description or by one message, and what was done about it.

An errand begins with the turn that read it, and goes on through the turns after that which read nothing new (a pause
that was resumed, a tool call that was approved). Of several that one turn read, the last is the errand, and
those before it are superseded. An errand's id is its message's; that of a task's description, which is no message, is
the task's own.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from baton.domain.conversation import Question
from baton.domain.json import JsonObject
from baton.domain.states import MessageState, TaskState, TurnState


class ErrandState(StrEnum):
    """What became of an errand. The last three are final, but for a paused task that is resumed, which goes on."""

    PENDING = "pending"  #: no turn has read it
    RUNNING = "running"
    DONE = "done"  #: answered, also by a question
    FAILED = "failed"
    CANCELLED = "cancelled"  #: interrupted, superseded, withdrawn, or paused

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done about it."""
        return self not in (ErrandState.PENDING, ErrandState.RUNNING)


@dataclass(frozen=True, slots=True)
class Taken:
    """The columns of an errand's task that decide its state, as of one moment with the errand's own."""

    state: TaskState
    turn: int
    interrupt_turn: int
    unclaimed: int


@dataclass(frozen=True, slots=True)
class Errand:
    """An errand as it is now.

    ``seq`` is its message's number, 0 for the description. ``turn`` is the one that read it (None: none has),
    ``last_turn`` the last that was taken for it. ``text`` and ``metadata`` are what was said; ``answer`` is what the
    last step of the last turn said, ``asked`` and ``held`` what that turn asked: questions, and tools with the
    arguments of calls that need consent. All events of its turns come after the one with the number ``after_event``;
    ``last_event`` is that of the log's last event when this was read. ``error`` is a stable code.
    """

    id: UUID
    seq: int
    task_id: UUID
    execution_id: UUID
    agent_id: UUID
    state: ErrandState
    superseded: bool
    turn: int | None
    last_turn: int | None
    text: str
    metadata: JsonObject
    answer: str
    asked: tuple[Question, ...]
    held: tuple[tuple[str, JsonObject], ...]
    error: str | None
    given_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    after_event: int
    last_event: int
    task_turn: int
    task_version: int


@dataclass(frozen=True, slots=True)
class TaskWithErrand:
    """A task as lists show it, with the state of its last errand that was not withdrawn."""

    id: UUID
    number: int
    title: str
    created_at: datetime
    last: ErrandState


def errand_state(
    task: Taken,
    message: MessageState | None,
    turn: int | None,
    *,
    superseded: bool,
    last_turn: int | None,
    last_turn_state: TurnState | None,
) -> ErrandState:
    """The state of an errand: the only place where that is decided. ``message`` is None for a task's description."""
    if superseded or message is MessageState.WITHDRAWN:
        return ErrandState.CANCELLED
    if turn is None or last_turn_state is None:
        return _unread(task.state, message)
    if last_turn_state is TurnState.RUNNING:
        is_stopping = task.interrupt_turn >= task.turn and (task.unclaimed > 0 or task.state is TaskState.PAUSED)
        return ErrandState.CANCELLED if is_stopping else ErrandState.RUNNING
    goes_on = last_turn == task.turn and task.state is TaskState.RUNNING and not task.unclaimed
    return ErrandState.RUNNING if goes_on else _ENDED[last_turn_state]


def _unread(task: TaskState, message: MessageState | None) -> ErrandState:
    if task in (TaskState.PAUSED, TaskState.CANCELLED):
        return ErrandState.CANCELLED
    if task is TaskState.FAILED or message is MessageState.DEAD:
        return ErrandState.FAILED
    return ErrandState.PENDING


_ENDED = {
    TurnState.ENDED: ErrandState.DONE,
    TurnState.INTERRUPTED: ErrandState.CANCELLED,
    TurnState.FAILED: ErrandState.FAILED,
}
