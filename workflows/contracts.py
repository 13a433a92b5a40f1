"""What crosses Temporal: ids, counters and states, never a word of what a user or a model wrote.

The one exception is what `BATON_TEMPORAL_DETAILS=words` lets people see there: `activities.details`.
Names are short because each of them stands in every history. Activities are stubs here, so that workflows can name
them without importing what they need; `activities/` implements them.
"""

from dataclasses import dataclass, field
from typing import Final

from temporalio import activity

PLAN_WORKFLOW: Final = "PlanWorkflow"
TASK_WORKFLOW: Final = "AgentTaskWorkflow"
MODEL_STEP: Final = "model_step"  #: the activity that calls a model


def plan_workflow_id(execution_id: str) -> str:
    """The id of an execution's `PlanWorkflow`."""
    return f"plan-{execution_id}"


def task_workflow_id(task_id: str) -> str:
    """The id of a task's `AgentTaskWorkflow`."""
    return f"task-{task_id}"


@dataclass(slots=True)
class TaskRef:
    """A task. The three uuids are text, as JSON has them."""

    tenant: str
    execution: str
    task: str


#: What a workflow does next.
TOOLS: Final = "tools"  #: make `Outcome.calls`, then take the next step
STEP: Final = "step"  #: take step `Outcome.step` of turn `Outcome.turn`
REST: Final = "rest"  #: nothing to do until somebody rings

#: In the details of a task that waits this stands for its id, in those of a plan for where a link to a task leads: the
#: workflows put that in, so that no history has it again and again.
TASK: Final = "{task}"

#: Why a run failed whose task, or plan, failed for a reason that the workflow was not told.
FAILED: Final = "failed"
#: A task's state while a turn is under way or due.
RUNNING: Final = "running"

#: The code of an attempt that waits for what another task of its plan asks: whether to go on at a limit.
LIMIT_WAITS: Final = "limit_waits"
#: The code of an attempt that found no free slot. Its one detail is how many steps of its tenant were at work there.
NO_SLOT: Final = "no_slot"
#: The code of an attempt at a call whose tool has no free slot. Its one detail is how many calls of it hang there.
TOOL_BUSY: Final = "tool_busy"
#: The codes of attempts that have not begun, since something else has to come first.
WAITS_FOR_OTHERS: Final = (LIMIT_WAITS, NO_SLOT, TOOL_BUSY)


@dataclass(slots=True)
class ProgressState:
    """What an `AgentTaskWorkflow` carries over when it continues as new: `workflows.progress.Progress` in plain data.

    (``turn``, ``step``) is what is due while ``next`` is `STEP`; ``seq`` the task's version that the last outcome
    reported, ``heard`` the highest that a doorbell named since the last look; ``interrupt`` the last turn that was
    asked to stop; ``typed`` counts the messages typed into Temporal; ``state`` is the task's, ``details`` what it waits
    for in words, ``wake_at`` when a question's time comes (seconds since the epoch).
    """

    turn: int = 1
    step: int = 0
    next: str = STEP
    seq: int = 0
    heard: int = 0
    interrupt: int = 0
    typed: int = 0
    state: str = ""
    details: str = ""
    wake_at: float | None = None


@dataclass(slots=True)
class AgentTaskStart:
    """How an `AgentTaskWorkflow` starts. ``label`` names agent and position for people who look at the workflow.

    ``fails``: a task that failed fails its run. False in the runs that earlier versions have started.
    """

    ref: TaskRef
    label: str = ""
    progress: ProgressState = field(default_factory=ProgressState)
    fails: bool = False


@dataclass(slots=True)
class PlanStart:
    """How a `PlanWorkflow` starts, with ``fails`` as in `AgentTaskStart`."""

    tenant: str
    execution: str
    heard: int = 0
    typed: int = 0
    fails: bool = False


@dataclass(slots=True)
class Ring:
    """Says "look": ``seq`` is the task's version at the commit that rings, ``interrupt`` a turn to stop (0: none).

    ``unheard``: it was rung before, as far as anybody knows, and nobody has looked: a workflow that rests looks, even
    if it believes to have seen that version. It is wrong where PostgreSQL has lost its newest commits in a failover.
    """

    seq: int
    interrupt: int = 0
    unheard: bool = False


@dataclass(slots=True)
class StepRef:
    """A model step: the key by which `model_step` is idempotent."""

    ref: TaskRef
    turn: int
    step: int


@dataclass(slots=True)
class ToolRef:
    """A tool call of a recorded step: the key by which `tool_step` is idempotent."""

    ref: TaskRef
    turn: int
    step: int
    call: str


@dataclass(slots=True)
class TurnFailed:
    """A turn whose step failed for good, with a stable code."""

    ref: TaskRef
    turn: int
    step: int
    code: str


@dataclass(slots=True)
class CancelTask:
    """A task whose workflow was cancelled in Temporal itself."""

    ref: TaskRef
    turn: int
    step: int = 0


@dataclass(slots=True)
class CallRef:
    """A tool call that is to be made: its id within the step, and the tool's name for the activity's summary."""

    id: str
    name: str


@dataclass(slots=True)
class Outcome:
    """What an activity left behind, as PostgreSQL has it.

    ``seq`` is the task's version: a doorbell with a higher one means that there is something new. ``turn`` and ``step``
    name the next step (for `TOOLS` the one whose calls these are). ``details`` says in words what a resting task waits
    for; ``wake_seconds`` when a question's time comes (None: never).
    """

    next: str
    turn: int
    step: int
    seq: int
    state: str
    calls: list[CallRef] = field(default_factory=list[CallRef])
    details: str = ""
    wake_seconds: float | None = None


@dataclass(slots=True)
class TaskStatus:
    """The answer to the query `status`. ``dropped`` counts the signals that this run has dropped, ``notice`` says why
    the last one was."""

    state: str
    turn: int
    step: int
    seq: int
    details: str
    dropped: int = 0
    notice: str = ""


@dataclass(slots=True)
class PlanOutcome:
    """What `advance_plan` found. ``over``: no task will move until one is reopened."""

    state: str
    seq: int
    over: bool
    details: str = ""


@activity.defn(name=MODEL_STEP)
async def model_step(step: StepRef) -> Outcome:
    """Take one model step; the first of a turn claims the messages, the last of a turn records its end.

    Idempotent by (task, turn, step): a recorded step is not taken again. Heartbeats while it works; safe to retry at
    any moment. Fails with `ApplicationError(type=code)`, not retryable once the model has failed for good.
    """
    raise NotImplementedError("activities.steps.StepActivities.model_step")


@activity.defn(name="tool_step")
async def tool_step(call: ToolRef) -> Outcome:
    """Make one tool call. Idempotent by (task, turn, step, call): a recorded call is not made again."""
    raise NotImplementedError("activities.tool_steps.ToolActivities.tool_step")


@activity.defn(name="fail_turn")
async def fail_turn(failed: TurnFailed) -> Outcome:
    """Record that a turn failed for good. Idempotent by (task, turn)."""
    raise NotImplementedError("activities.steps.StepActivities.fail_turn")


@activity.defn(name="cancel_task")
async def cancel_task(cancelled: CancelTask) -> Outcome:
    """Record that a task's workflow was cancelled in Temporal. Idempotent: a cancelled task stays so."""
    raise NotImplementedError("activities.steps.StepActivities.cancel_task")


@activity.defn(name="tick")
async def tick(task: TaskRef) -> Outcome:
    """Do what is due for a task's open questions: reminders, escalations, the default answer. Idempotent."""
    raise NotImplementedError("activities.questions.QuestionActivities.tick")


@activity.defn(name="advance_plan")
async def advance_plan(plan: PlanStart) -> PlanOutcome:
    """Start the tasks whose dependencies have succeeded, fail those whose dependencies failed, ring the started.

    Idempotent: what is started already is only rung again, if nobody took it up.
    """
    raise NotImplementedError("activities.plans.PlanActivities.advance_plan")


@activity.defn(name="cancel_plan")
async def cancel_plan(plan: PlanStart) -> PlanOutcome:
    """Cancel all tasks of a plan that are not over. Idempotent."""
    raise NotImplementedError("activities.plans.PlanActivities.cancel_plan")
