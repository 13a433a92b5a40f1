"""Events for tests, in few words."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from baton.client.schemas.executions import ExecutionOut
from baton.client.schemas.tasks import TaskOut
from baton.client.shapes import Event
from baton.domain.states import ExecutionState, TaskState

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def execution(*needs: Iterable[int], kind: str = "plan") -> ExecutionOut:
    """An execution of tasks numbered from 1, each with what it depends on. Task N has the id `tN`."""
    tasks = tuple(
        TaskOut.model_construct(id=f"t{n}", position=n, title=f"Task {n}", depends_on=list(need))
        for n, need in enumerate(needs, start=1)
    )
    return ExecutionOut.model_construct(id="e", kind=kind, title="A plan", summary="", tasks=list(tasks), last_event=0)


class Log:
    """Makes events, numbered, a second apart."""

    def __init__(self) -> None:
        self.seq = 0

    def __call__(
        self,
        type: str,
        task: int | None = None,
        state: str | None = None,
        execution_state: str | None = None,
        **data: Any,
    ) -> Event:
        self.seq += 1
        return Event(
            self.seq,
            type,
            START + timedelta(seconds=self.seq),
            f"t{task}" if task else None,
            task,
            TaskState(state) if state else None,
            ExecutionState(execution_state) if execution_state else None,
            data,
        )
