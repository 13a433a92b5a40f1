"""How a worker learns the name of its own task queue."""

from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent

from activities.sticky import RecentRuns, sticky_queue

_STICKY = TaskQueueKind.TASK_QUEUE_KIND_STICKY


def scheduled(name: str, kind: TaskQueueKind.ValueType) -> HistoryEvent:
    event = HistoryEvent()
    event.workflow_task_scheduled_event_attributes.task_queue.name = name
    event.workflow_task_scheduled_event_attributes.task_queue.kind = kind
    return event


def test_a_history_tells_the_workers_own_queue() -> None:
    others = [
        HistoryEvent(),
        scheduled("1@here-not-sticky", TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        scheduled("12@here-c0ffee", _STICKY),  # of a worker whose identity merely begins like ours
    ]
    assert sticky_queue(others, "1@here") is None
    assert sticky_queue([*others, scheduled("1@here-beef", _STICKY)], "1@here") == "1@here-beef"


def test_the_last_runs_of_each_queue_are_remembered() -> None:
    recent = RecentRuns()
    for n in range(12):
        recent.note("a", f"task-{n}", "run")
    recent.note("a", "task-9", "run")
    recent.note("b", "other", "run")
    assert [run.workflow_id for run in recent.last("a")] == [
        "task-9",
        "task-11",
        "task-10",
        "task-8",
        "task-7",
        "task-6",
        "task-5",
    ]
    assert [run.workflow_id for run in recent.last("b")] == ["other"]
    assert recent.last("c") == []
