"""What happens to an execution and to its tasks as wholes."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from baton.domain.authors import Author
from baton.domain.events.parts import AskedApproval, AskedQuestion
from baton.domain.events.types import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """A task of an execution as it began. ``position`` is its integer in the plan."""

    id: UUID
    position: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionCreated:
    """An execution was accepted, with all its tasks."""

    type: ClassVar = EventType.EXECUTION_CREATED

    title: str
    tasks: tuple[PlannedTask, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionChanged:
    """An execution's state did not follow from its tasks' states, and was corrected. ``was``: the state before."""

    type: ClassVar = EventType.EXECUTION_CHANGED

    was: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """A task may run: its dependencies have succeeded, or it has none. ``title``: the task's."""

    type: ClassVar = EventType.TASK_STARTED

    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksStarted:
    """Several tasks of a plan were started side by side: ``tasks`` are their positions."""

    type: ClassVar = EventType.TASKS_STARTED

    tasks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """A task failed without a turn, because of a dependency."""

    type: ClassVar = EventType.TASK_FAILED

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReset:
    """A task that had failed because of a dependency is pending again: the dependency runs again, or has succeeded."""

    type: ClassVar = EventType.TASK_RESET


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPaused:
    """Somebody paused a task. ``by`` is a name; ``author`` says who that was, None in events of older code."""

    type: ClassVar = EventType.TASK_PAUSED

    by: str
    author: Author | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResumed:
    """Somebody resumed a task. ``by`` and ``author``: as in `TaskPaused`. What it asks if it waits again: as in
    `TurnEnded`."""

    type: ClassVar = EventType.TASK_RESUMED

    by: str
    author: Author | None = None
    open_questions: tuple[str, ...] = ()
    open_approvals: tuple[str, ...] = ()
    questions: tuple[AskedQuestion, ...] = ()
    approvals: tuple[AskedApproval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled:
    """Somebody cancelled a task. ``by`` and ``author``: as in `TaskPaused`."""

    type: ClassVar = EventType.TASK_CANCELLED

    by: str
    reason: str
    author: Author | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRepaired:
    """A counter on a task's row (``what``) did not fit its messages, and was corrected."""

    type: ClassVar = EventType.TASK_REPAIRED

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowLost:
    """A task's workflow is gone, with this ``status`` in Temporal. What became of the task, `task_state` says."""

    type: ClassVar = EventType.WORKFLOW_LOST

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowReplaced:
    """A run of a task's or a plan's workflow was stuck, and gave way to another one. Nothing that counts was lost.

    ``cause`` is Temporal's word for why its workflow task failed, ``failures`` times in a row, `WorkflowTaskTimedOut`,
    or `PinnedBuildWithoutWorkers`; ``error`` the type of an exception in workflow code, "" for none. ``run_id`` names
    the run that was stuck. An event without a task is about the plan's workflow.
    """

    type: ClassVar = EventType.WORKFLOW_REPLACED

    cause: str
    error: str = ""
    failures: int = 0
    run_id: str = ""
