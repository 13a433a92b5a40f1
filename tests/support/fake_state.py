"""What the fake server knows of executions and tasks."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from baton.domain.events import KnownBody, NewEvent
from baton.domain.events.codec import encode
from baton.domain.plans import PlanTask
from baton.domain.states import ExecutionState, TaskState, execution_state

Json = dict[str, Any]

NOW = datetime.now(UTC).isoformat()
USAGE = {
    "input_tokens": 0,
    "output_tokens": 0,
    "cached_tokens": 0,
    "reasoning_tokens": 0,
    "usd": None,
    "calls": 0,
}
AGENT = {"id": str(uuid4()), "number": 1, "name": "assistant"}
TIMES = {"created_at": NOW, "started_at": None, "completed_at": None, "updated_at": NOW}


@dataclass
class FakeTask:
    """A task and its player's state."""

    plan: PlanTask
    execution: "FakeExecution"
    id: str = field(default_factory=lambda: str(uuid4()))
    state: TaskState = TaskState.PENDING
    version: int = 1
    questions: list[Json] = field(default_factory=list[Json])
    waiting_since: str | None = None
    result: str | None = None
    error: str | None = None
    messages: list[Json] = field(default_factory=list[Json])
    by_key: dict[str, tuple[str, Json]] = field(default_factory=dict[str, tuple[str, Json]])
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def json(self) -> Json:
        return {
            "id": self.id,
            "number": 1,
            "execution_id": self.execution.id,
            "position": self.plan.position,
            "title": self.plan.title,
            "description": self.plan.description,
            "depends_on": list(self.plan.depends_on),
            "agent": AGENT,
            "state": self.state,
            "version": self.version,
            "turn": 1,
            "queued": 0,
            "questions": [{"asked_at": NOW, **asked} for asked in self.questions],
            "approvals": [],
            "granted_tools": [],
            "plan_only": False,
            "waiting_since": self.waiting_since,
            "result": self.result,
            "error": {"code": self.error} if self.error else None,
            "limits": {},
            "usage": USAGE,
            **TIMES,
        }


@dataclass
class FakeExecution:
    """An execution and its log."""

    title: str
    summary: str = ""
    id: str = field(default_factory=lambda: str(uuid4()))
    tasks: list[FakeTask] = field(default_factory=list[FakeTask])
    events: list[Json] = field(default_factory=list[Json])
    grown: asyncio.Condition = field(default_factory=asyncio.Condition)
    state: ExecutionState = ExecutionState.PENDING

    def json(self) -> Json:
        return {
            "id": self.id,
            "kind": "plan",
            "title": self.title,
            "summary": self.summary,
            "state": self.state,
            "agent": AGENT,
            "queue": "baton",
            "plan_generation_id": None,
            "metadata": {},
            "task_counts": {},
            "limits": {},
            "usage": USAGE,
            **TIMES,
            "tasks": [task.json() for task in self.tasks],
            "last_event": len(self.events),
        }

    def task(self, position: int) -> FakeTask:
        return next(task for task in self.tasks if task.plan.position == position)

    async def emit(self, body: KnownBody, task: FakeTask | None = None, state: TaskState | None = None) -> None:
        """Append an event, with the states it brings about."""
        if task is not None and state is not None:
            task.state = state
            task.version += 1
        now = execution_state(task.state for task in self.tasks)
        changed, self.state = now != self.state, now
        event = {
            "seq": len(self.events) + 1,
            "type": body.type,
            "at": datetime.now(UTC).isoformat(),
            "execution_id": self.id,
            "task_id": task.id if task else None,
            "position": task.plan.position if task else None,
            "task_state": state,
            "execution_state": now if changed else None,
            "data": encode(NewEvent(body)),
        }
        async with self.grown:
            self.events.append(event)
            self.grown.notify_all()
