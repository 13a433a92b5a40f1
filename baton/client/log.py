"""An execution's log, as `/baton/v1` streams it."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from baton.client.schemas.base import Json
from baton.domain.events import Event
from baton.domain.events.codec import decode
from baton.domain.states import ExecutionState, TaskState


class Entry(NamedTuple):
    """An event, and the JSON that the server wrote of it."""

    event: Event
    raw: str


def read_entry(raw: str) -> Entry:
    """Decode an event; the body is `Unknown` where the server is newer than this client."""
    entry: Json = orjson.loads(raw)
    data, task_id = entry["data"], entry["task_id"]
    task_state, execution_state = entry["task_state"], entry["execution_state"]
    event = Event(
        seq=entry["seq"],
        at=datetime.fromisoformat(entry["at"]),
        body=decode(entry["type"], data),
        data=data,
        task_id=task_id and UUID(task_id),
        position=entry["position"],
        task_state=task_state and TaskState(task_state),
        execution_state=execution_state and ExecutionState(execution_state),
    )
    return Entry(event, raw)
