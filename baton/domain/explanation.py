"""Why a task is where it is, in codes for programs and words for people."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from baton.domain.conversation import Usage
from baton.domain.json import JsonObject, JsonValue
from baton.domain.states import TaskState
from baton.domain.views import AgentRef


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that keeps a task where it is. ``code`` is stable, ``since`` None where it is not known."""

    code: str
    text: str
    since: datetime | None = None
    data: JsonObject = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that keeps a task where it is, the most telling first, whose task it is, and what it has used so far."""

    task_id: UUID
    agent: AgentRef
    state: TaskState
    version: int
    reasons: tuple[Reason, ...]
    usage: Usage
