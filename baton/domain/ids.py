"""Identifiers, and the ways in which callers address a task."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

TenantId = UUID
ExecutionId = UUID
TaskId = UUID
AgentId = UUID
MessageId = UUID
#: A message's, or where a task's description is the errand, the task's.
ErrandId = UUID
ApprovalId = UUID
ArtifactId = UUID


@dataclass(frozen=True, slots=True)
class Bounds:
    """Whose things count: a tenant's, and of those only one agent's, or with None any agent's.

    ``shared``: executions count, too, some of whose tasks are of other agents. Only for who may see those.
    """

    tenant_id: TenantId
    agent_id: AgentId | None
    shared: bool = False


def whole_tenant(tenant_id: TenantId) -> Bounds:
    """All that a tenant has: for the product itself, and never for a caller."""
    return Bounds(tenant_id, None)


@dataclass(frozen=True, slots=True)
class TaskInPlan:
    """A task by its execution and its integer in the plan."""

    execution: ExecutionId
    position: int


@dataclass(frozen=True, slots=True)
class TaskById:
    """A task by its own uuid."""

    task: TaskId


@dataclass(frozen=True, slots=True)
class TaskByNumber:
    """A task by its integer. ``agent``: the integer of the agent that it must belong to, None for any."""

    number: int
    agent: int | None = None


@dataclass(frozen=True, slots=True)
class TaskBySlug:
    """A task by its slug (`baton.domain.slugs`)."""

    slug: str


TaskAddress = TaskInPlan | TaskById | TaskByNumber | TaskBySlug


@dataclass(frozen=True, slots=True)
class Addressee:
    """The task that a message to a whole execution is for, which is chosen when the message is accepted.

    The one that asks the question that the message answers; else the one that has waited longest; else the only one
    that is open (of several, the only one that has begun); else the one that ended last.
    """

    execution: ExecutionId


#: Of a title, a route has so many characters.
TITLE_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True)
class PlanRoute:
    """Where a plan lives: what never changes after its creation.

    ``queue`` is the Temporal task queue, ``title`` the beginning of the plan's.
    """

    tenant_id: TenantId
    tenant: str
    execution_id: ExecutionId
    queue: str
    title: str


@dataclass(frozen=True, slots=True)
class TaskRoute:
    """Where a task lives: what never changes after its creation, so that it may be cached.

    `queue` is the Temporal task queue, `agent` the agent's name when the task was made; ``title`` and ``plan_title``
    are the beginnings of the task's and its execution's.
    """

    tenant_id: TenantId
    tenant: str
    execution_id: ExecutionId
    task_id: TaskId
    position: int
    in_plan: bool
    queue: str
    agent: str
    agent_id: AgentId
    title: str
    plan_title: str

    @property
    def plan(self) -> PlanRoute:
        """Where its plan lives, of a task that is ``in_plan``."""
        return PlanRoute(self.tenant_id, self.tenant, self.execution_id, self.queue, self.plan_title)


@dataclass(frozen=True, slots=True)
class ExecutionRoute:
    """Where an execution lives: what never changes after its creation, so that it may be cached.

    ``queue`` is the Temporal task queue, ``agent_id`` the agent of its tasks, None where they have several: then it is
    no one agent's. ``only``: its task where it is no plan.
    """

    tenant_id: TenantId
    tenant: str
    execution_id: ExecutionId
    queue: str
    agent_id: AgentId | None
    only: TaskRoute | None


@dataclass(frozen=True, slots=True)
class StepKey:
    """The name of a model step, by which its activity is idempotent."""

    tenant_id: TenantId
    execution_id: ExecutionId
    task_id: TaskId
    turn: int
    step: int
