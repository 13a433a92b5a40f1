"""The states of executions, tasks, turns, steps, calls and messages, and the rules that derive one from another."""

from collections.abc import Iterable
from enum import StrEnum


class TaskState(StrEnum):
    """What a task is doing. A message reopens `SUCCEEDED` and `FAILED`; `CANCELLED` is final."""

    PENDING = "pending"  #: its dependencies are unfinished
    RUNNING = "running"  #: a turn is under way, or will be as soon as a worker is free
    WAITING = "waiting"  #: needs a person; durable, holds no worker
    PAUSED = "paused"  #: stopped on request, until a resume or a message
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless a message reopens the task."""
        return self in _OVER


_OVER = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED})


class ExecutionState(StrEnum):
    """What an execution is doing, derived from its tasks by `execution_state`."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether all tasks are over."""
        return self in _EXECUTION_OVER


_EXECUTION_OVER = frozenset({ExecutionState.SUCCEEDED, ExecutionState.FAILED, ExecutionState.CANCELLED})


class MessageState(StrEnum):
    """What became of a message. Every accepted message reaches one of the last three."""

    ACCEPTED = "accepted"
    CLAIMED = "claimed"
    PROCESSED = "processed"
    WITHDRAWN = "withdrawn"
    DEAD = "dead"


class StepState(StrEnum):
    """What became of a step."""

    RUNNING = "running"
    RECORDED = "recorded"
    INTERRUPTED = "interrupted"  #: ended by an interrupt; its partial answer is kept
    FAILED = "failed"  #: failed for good


class CallState(StrEnum):
    """Where a tool call is."""

    HELD = "held"  #: waits for consent
    PENDING = "pending"  #: is to be made
    RUNNING = "running"
    UNSURE = "unsure"  #: may have been made, and may not be repeated; waits for a person's word
    DONE = "done"  #: has its result; also one that will not be made


class TurnState(StrEnum):
    """What became of a turn."""

    RUNNING = "running"
    ENDED = "ended"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class SendMode(StrEnum):
    """What a message does to a task whose turn is under way."""

    QUEUE = "queue"
    INTERRUPT = "interrupt"
    REJECT = "reject"


def execution_state(tasks: Iterable[TaskState]) -> ExecutionState:
    """Derive an execution's state from the states of its tasks. The only place where that is decided.

    Work under way outranks a question: a plan of which one task runs and one waits is running. Pending tasks beside
    finished ones count as running, since the plan will start or fail them at its next look.
    """
    states = set(tasks)
    if not states or states == {TaskState.PENDING}:
        return ExecutionState.PENDING
    if TaskState.RUNNING in states:
        return ExecutionState.RUNNING
    if TaskState.WAITING in states:
        return ExecutionState.WAITING
    if TaskState.PAUSED in states:
        return ExecutionState.PAUSED
    if TaskState.PENDING in states:
        return ExecutionState.RUNNING
    if TaskState.CANCELLED in states and TaskState.FAILED not in states:
        return ExecutionState.CANCELLED
    if TaskState.FAILED in states:
        return ExecutionState.FAILED
    return ExecutionState.SUCCEEDED
