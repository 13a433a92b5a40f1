"""Baton's own streams: every event as it is in the log, one frame each."""

from collections.abc import Sequence
from uuid import UUID

from api.frames import Encoder, Frame
from baton.domain.events import Event
from baton.service.feed import Subscription


def execution_encoder() -> Encoder:
    """All events of an execution."""
    return Encoder("baton.execution", lambda execution_id, event: (_frame(execution_id, event),), _end)


def task_encoder(task_id: UUID, *, with_executions: bool) -> Encoder:
    """The events of a task, and ``with_executions`` those of its execution that are no task's: they name all tasks."""
    shown = (None, task_id) if with_executions else (task_id,)

    def frames(execution_id: UUID, event: Event) -> Sequence[Frame]:
        return (_frame(execution_id, event),) if event.task_id in shown else ()

    return Encoder(f"baton.{'task' if with_executions else 'own'}:{task_id}", frames, _end)


def _frame(execution_id: UUID, event: Event) -> Frame:
    return event.type, event_as_json(execution_id, event)


def event_as_json(execution_id: UUID, event: Event) -> dict[str, object]:
    """An event as it is in the log."""
    return {
        "seq": event.seq,
        "type": event.type,
        "at": event.at,
        "execution_id": execution_id,
        "task_id": event.task_id,
        "position": event.position,
        "task_state": event.task_state,
        "execution_state": event.execution_state,
        "data": event.data,
    }


def _end(subscription: Subscription) -> Frame:
    return "end", {"execution_state": subscription.ended}
