"""An entry of an execution's log, as `/baton/v1` streams it."""

from dataclasses import dataclass
from datetime import datetime

from baton.client.schemas.base import Json
from baton.domain.states import ExecutionState, TaskState


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
        return cls(
            seq=int(json["seq"]),
            type=json["type"],
            at=datetime.fromisoformat(json["at"]),
            task_id=json.get("task_id"),
            position=json.get("position"),
            task_state=TaskState(task_state) if task_state else None,
            execution_state=ExecutionState(execution_state) if execution_state else None,
            data=json.get("data") or {},
            raw=raw,
        )
