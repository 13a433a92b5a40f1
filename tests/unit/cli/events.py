"""Events for tests, in few words."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from baton.client.shapes import Event, Execution, Task
from baton.domain.states import ExecutionState, TaskState

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def execution(*needs: Iterable[int], kind: str = "plan") -> Execution:
    """An execution of tasks numbered from 1, each with what it depends on. Task N has the id `tN`."""
    tasks = tuple(
        Task(f"t{n}", "e", n, f"Task {n}", tuple(need), TaskState.PENDING, 1, (), None, None, None)
        for n, need in enumerate(needs, start=1)
    )
    return Execution("e", kind, "A plan", "", ExecutionState.PENDING, tasks, 0)


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
