"""The task that a path names, by its integer."""

from api.ids import in_range
from baton.domain.ids import TaskByNumber


def address(task_id: int, agent_id: int | None = None) -> TaskByNumber:
    """A task, with the agent that it must belong to. Raises `TaskNotFound` beyond 64 bits."""
    return TaskByNumber(in_range(task_id), agent_id)
